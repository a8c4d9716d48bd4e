// Files of an open cache that are deleted, moved or damaged, and that one maintenance run replaces.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Loss {
  std::string name;
  std::function<void(const std::string& path)> lose;
  bool loses_entries;
};

std::vector<Loss> losses() {
  return {
      {"all files deleted",
       [](const std::string& path) {
         for (const char* suffix : {"", "-wal", "-shm", "-lock"}) fs::remove(path + suffix);
       },
       true},
      {"only the file deleted", [](const std::string& path) { fs::remove(path); }, true},
      {"moved away", [](const std::string& path) { fs::rename(path, path + ".moved"); }, true},
      {"log deleted", [](const std::string& path) { fs::remove(path + "-wal"); }, false},
      {"lock file deleted", [](const std::string& path) { fs::remove(path + "-lock"); }, false},
  };
}

/// The cache dropped nothing, stayed healthy and reported only file_lost.
void check_replaced(CacheFixture& f, std::int64_t since, int times) {
  const Health health = f->health();
  CHECK(health.state == HealthState::ok);
  CHECK(health.since == since);
  CHECK(health.dropped == 0);
  CHECK_MESSAGE(has(health.last_error, f.path), health.last_error);
  CHECK(f.heard.count(NoticeKind::file_lost) == times);
  CHECK(has(f.heard.last(NoticeKind::file_lost).what, f.path));
  CHECK(f.heard.last(NoticeKind::file_lost).subject == f.path);
  CHECK(f.heard.notices().size() == static_cast<std::size_t>(times));
}

/// Overwrites all pages except the first one. Another process does it, because closing the file in
/// this process would release the cache's locks.
void damage(const std::string& path) {
  const ChildEnd end = in_child([&path]() -> std::string {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4'096);
    const auto size = static_cast<std::streamoff>(fs::file_size(path));
    for (std::streamoff at = 4'096; at < size; ++at) file.put('\x55');
    file.close();
    return file ? "damaged" : "not damaged";
  });
  REQUIRE(end.said == "damaged");
}

/// Checks the file. Or makes a copy, which must have the accepted value.
void check_or_back_up(CacheFixture& f, bool checks) {
  if (checks) {
    CHECK(f->check().ok);
    return;
  }
  f->backup(f.dir.path("copy"));
  CHECK(Cache(f.dir.path("copy"), f.options).get<int>("accepted") == 1);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("each loss of the file is reported and pending writes go into the new file") {
    for (const Loss& loss : losses()) {
      INFO(loss.name);
      CacheFixture f;
      const std::int64_t since = f->health().since;
      for (int times = 1; times <= 2; ++times) {
        CHECK(f->put("before", times));
        f->flush();
        CHECK(f->get<int>("before") == times);
        CHECK(f->put("accepted", times));
        f.close_raw();
        f.clock->advance(1h);
        loss.lose(f.path);
        (void)f->run_maintenance(1s);
        check_replaced(f, since, times);
        CHECK(f->get<int>("before").value_or(0) == (loss.loses_entries ? 0 : times));
        CHECK(f.in_file("accepted"));
        CHECK(f->get<int>("accepted") == times);
        CHECK(f->put("after", times));
        f->flush();
        CHECK(f.in_file("after"));
      }
    }
  }

  TEST_CASE("deleting the -shm file loses nothing") {
    CacheFixture f;
    f.fill("before ", 500, 1'000);
    f->flush();
    f.close_raw();
    fs::remove(f.path + "-shm");
    for (int round = 0; round < 3; ++round) {
      f.clock->advance(1min);
      f.fill("after " + std::to_string(round) + ' ', 500, 1'000);
      f->flush();
      (void)f.run_to_the_end();
      CHECK(f->get<std::string>("before 7").has_value());
      CHECK(f->get<std::string>("after " + std::to_string(round) + " 499").has_value());
    }
    CHECK(f->erase("before 8"));
    f->compact();
    CHECK(f->check().ok);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.heard.notices().empty());
    f.reopen();
    CHECK(f->stats().entries == 1'999);
    CHECK(f.heard.notices().empty());
  }

  TEST_CASE("damage of an open file is reported with the path and loses no put") {
    CacheFixture f({.memory_bytes = 0});
    f.fill("old ", 500, 1'000);
    f->compact();
    const std::int64_t since = f->health().since;
    f.clock->advance(1h);
    damage(f.path);
    CHECK(f->put("accepted", 1));
    int misses = 0;
    for (const std::string& key : numbered("old ", 500)) misses += f->contains(key) ? 0 : 1;
    CHECK(misses > 0);
    (void)f->run_maintenance(1s);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->health().since == since);
    CHECK_MESSAGE(has(f->health().last_error, f.path), f->health().last_error);
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);
    CHECK(f.heard.last(NoticeKind::quarantined).subject == f.path);
    CHECK(has(f.heard.last(NoticeKind::quarantined).what, f.path + ".corrupt-"));
    CHECK(f.heard.count(NoticeKind::unavailable) == 0);
    CHECK(f.heard.count(NoticeKind::file_lost) == 0);
    CHECK(f->stats().dropped == 0);
    CHECK(f.in_file("accepted"));
    CHECK(f->stats().entries == 1);
    CHECK(f->put("after", 2));
    f->flush();
    CHECK(f.in_file("after"));
  }

  TEST_CASE("check and backup use the file that their flush has opened") {
    for (const Loss& loss : losses()) {
      INFO(loss.name);
      for (const bool checks : {true, false}) {
        CAPTURE(checks);
        CacheFixture f;
        CHECK(f->put("before", 1));
        f->flush();
        CHECK(f->put("accepted", 1));
        f.clock->advance(1h);
        loss.lose(f.path);
        check_or_back_up(f, checks);
        CHECK(f.heard.count(NoticeKind::file_lost) == 1);
      }
    }
  }

  TEST_CASE("check and backup use the new file after damage that a read has met") {
    for (const bool checks : {true, false}) {
      CAPTURE(checks);
      CacheFixture f({.memory_bytes = 0});
      f.fill("old ", 500, 1'000);
      f->compact();
      damage(f.path);
      CHECK(f->put("accepted", 1));
      for (const std::string& key : numbered("old ", 500)) (void)f->contains(key);
      check_or_back_up(f, checks);
      CHECK(f.heard.count(NoticeKind::quarantined) == 1);
    }
  }
}
