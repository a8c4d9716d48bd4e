// A cache that cannot reach its file: every call returns, and removals hold when the file is back.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kNoMemory = 0;
constexpr std::int64_t kMemory = 16 * MiB;

/// A cache whose folder was moved away. Its file has the entries "old 0" to "old 9" and "gone 0" to
/// "gone 4".
struct Unreachable {
  explicit Unreachable(std::int64_t memory_bytes)
      : f({.timing = {.max_wait = 0s}, .memory_bytes = memory_bytes}) {
    f.fill("old ", 10);
    f.fill("gone ", 5);
    f.close();
    fs::rename(f.dir.path(), elsewhere());
    CHECK(f->health().state == HealthState::unavailable);
  }
  ~Unreachable() {
    if (exists(elsewhere())) fs::rename(elsewhere(), f.dir.path());
  }
  Unreachable(const Unreachable&) = delete;
  Unreachable& operator=(const Unreachable&) = delete;

  [[nodiscard]] std::string elsewhere() const { return f.dir.path() + ".elsewhere"; }

  void bring_back() {
    CHECK(f.heard.count(NoticeKind::unavailable) == 1);
    CHECK(f.heard.count(NoticeKind::available) == 0);
    fs::rename(elsewhere(), f.dir.path());
    f.clock->advance(1min);
    (void)f->run_maintenance(1s);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.heard.count(NoticeKind::unavailable) == 1);
    CHECK(f.heard.count(NoticeKind::available) == 1);
  }

  CacheFixture f;
};

/// A loader that counts its calls.
struct Loader {
  int runs = 0;
  std::vector<int> operator()(std::span<const std::string_view> keys) {
    ++runs;
    return std::vector<int>(keys.size(), 7);
  }
};

struct Post {
  int id;
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("without a file reads miss and computed values are kept in the memory tier") {
    for (const std::int64_t memory_bytes : {kNoMemory, kMemory}) {
      INFO("memory " << memory_bytes);
      Unreachable unreachable(memory_bytes);
      CacheFixture& f = unreachable.f;
      const bool has_memory = memory_bytes > 0;
      CHECK_FALSE(f->get<std::string>("old 1").has_value());
      for (const auto& value : f->get_many<std::string>({"old 2", "none"})) CHECK_FALSE(value);
      CHECK_FALSE(f->contains("old 1"));
      CHECK_FALSE(f->entry("old 1").has_value());
      CHECK(f.keys().empty());
      CHECK(f->calculations().empty());
      CHECK_FALSE(f->touch("old 1"));
      CHECK(f->touch_many({"old 1", "old 2"}) == 0);
      CHECK(f->stats().unread == 3);
      CHECK(f->stats().entries == 0);

      Loader loader;
      for (int round = 0; round < 2; ++round) {
        CHECK(f->get_or_compute_many<int>({"a", "b"}, loader) == std::vector<int>{7, 7});
      }
      CHECK(loader.runs == (has_memory ? 1 : 2));
      CHECK(f->put_many<int>({{"c", 1}, {"d", 2}}) == 0);
      CHECK(f->get<int>("d").has_value() == has_memory);
      CHECK(f->touch_many({"c", "d", "none"}) == (has_memory ? 2 : 0));
      CHECK(f->stats().dropped == 2 * loader.runs + 2);
      CHECK(f->health().dropped == f->stats().dropped);

      unreachable.bring_back();
      CHECK(f.keys("old ") == "old 0 old 1 old 2 old 3 old 4 old 5 old 6 old 7 old 8 old 9");
      CHECK_FALSE(f->contains("d"));  // it was never stored in the file
    }
  }

  TEST_CASE("an entry erased while the file is unreachable stays erased afterwards") {
    for (const std::int64_t memory_bytes : {kNoMemory, kMemory}) {
      INFO("memory " << memory_bytes);
      Unreachable unreachable(memory_bytes);
      CacheFixture& f = unreachable.f;
      for (const char* key : {"k1", "k2", "k3", "gone k"}) CHECK_FALSE(f->put(key, 1));
      CHECK_FALSE(f->erase("k1"));
      CHECK_FALSE(f->erase("old 1"));
      CHECK(f->erase_many({"k2", "old 2", "old 3", "none"}) == 0);
      for (const char* key : {"k1", "k2"}) CHECK_FALSE(f->contains(key));
      for (const char* key : {"k3", "gone k"}) CHECK(f->contains(key) == (memory_bytes > 0));
      CHECK(f->erase_prefix("gone ") == 0);
      CHECK_FALSE(f->contains("gone k"));
      CHECK_FALSE(f->run_maintenance(1s));
      CHECK(f.heard.count(NoticeKind::removal_uncommitted) == 1);

      unreachable.bring_back();
      CHECK(f.keys() == "old 0 old 4 old 5 old 6 old 7 old 8 old 9");
      f->flush();
      CHECK(f.rows_in_file() == 7);
    }
  }

  TEST_CASE("a clear while the file is unreachable holds afterwards") {
    for (const std::int64_t memory_bytes : {kNoMemory, kMemory}) {
      INFO("memory " << memory_bytes);
      Unreachable unreachable(memory_bytes);
      CacheFixture& f = unreachable.f;
      CHECK_FALSE(f->put("k", 1));
      CHECK(f->clear() == 0);
      CHECK_FALSE(f->contains("k"));
      CHECK_FALSE(f->put("new", 2));
      CHECK(f->get<int>("new").has_value() == (memory_bytes > 0));
      unreachable.bring_back();
      CHECK(f.keys().empty());
      CHECK(f->put("after", 3));
      f->flush();
      CHECK(f.rows_in_file() == 1);
    }
  }

  TEST_CASE("administration throws store_failed without a file and limits hold later") {
    Unreachable unreachable(kMemory);
    CacheFixture& f = unreachable.f;
    const std::string target = unreachable.elsewhere() + "/copy.db";
    CHECK(code_thrown_by([&] { f->flush(); }) == "store_failed");
    CHECK(code_thrown_by([&] { f->compact(); }) == "store_failed");
    CHECK(code_thrown_by([&] { (void)f->check(); }) == "store_failed");
    const auto error = thrown_by([&] { f->backup(target); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::store_failed);
    CHECK(error->subject() == f.path);
    CHECK_FALSE(exists(target));
    CHECK_FALSE(f->run_maintenance(1s));
    f->set_limits({.max_entries = 4});
    CHECK(f->limits().max_entries.count() == 4);
    CHECK(code_thrown_by([&] { f->set_limits({.max_entries = -1}); }) == "invalid_options");

    unreachable.bring_back();
    f->flush();
    CHECK(f->stats().entries == 4);
    CHECK(f->stats().evicted == 11);
  }

  TEST_CASE("loads compute while the file is unreachable and keep results in the memory tier") {
    for (const std::int64_t memory_bytes : {kNoMemory, kMemory}) {
      INFO("memory " << memory_bytes);
      Unreachable unreachable(memory_bytes);
      CacheFixture& f = unreachable.f;
      const bool has_memory = memory_bytes > 0;
      int computed = 0;
      Registry registry(f.cache());
      auto& posts = registry.resource<Post>("Post", &Post::id);
      auto twice = posts.calculation("twice", [&](const Post& p) { return ++computed, p.id * 2; });
      posts.cache_calculation("twice", {});
      const std::vector<Post> page = {{1}, {2}, {3}};
      const auto load = [&] { CHECK(twice(page) == std::vector<int>{2, 4, 6}); };
      load();
      CHECK(computed == 3);
      load();
      CHECK(computed == (has_memory ? 3 : 6));
      CHECK(twice.cached(page)[1].has_value() == has_memory);
      const std::function<void()> removals[] = {[&] { posts.invalidate(page[0]); },
                                                [&] { posts.invalidate_all(); }};
      for (const auto& removal : removals) {
        computed = 0;
        removal();
        CHECK_FALSE(twice.cached(page)[0].has_value());
        load();
        CHECK(computed >= (has_memory ? 1 : 3));
      }

      unreachable.bring_back();
      computed = 0;
      load();
      load();
      CHECK(computed == 3);
      f->flush();
      CHECK(f.in_file("Post:2:twice"));
    }
  }
}
