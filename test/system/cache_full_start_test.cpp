// A cache that is opened on a full disk reads its file.

#include <doctest/doctest.h>

#include <ashmemo/ashmemo.hpp>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/fault_vfs.hpp"
#include "support/system_calls.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Post {
  std::int64_t id;
};

/// A calculation on posts that counts the posts it was called for.
struct Tens {
  explicit Tens(Cache& cache) : registry(cache) { posts.cache_calculation("tens", {}); }

  /// Whether the results of the posts 0 to 9 are right.
  [[nodiscard]] bool are_right() const {
    bool right = true;
    for (std::int64_t id = 0; id < 10; ++id) right = tens(Post{id}) == id * 10 && right;
    return right;
  }

  int computed = 0;
  Registry registry;
  Resource<Post>& posts = registry.resource<Post>("Post", &Post::id);
  Calculation<Post, std::int64_t> tens = posts.calculation("tens", [this](const Post& post) {
    ++computed;
    return post.id * 10;
  });
};

/// Puts ten entries and ten results into the file.
void fill(Cache& cache) {
  for (const std::string& key : numbered("old", 10)) (void)cache.put(key, std::string(10, 'x'));
  Tens tens(cache);
  CHECK(tens.are_right());
  CHECK(tens.computed == 10);
  cache.flush();
}

/// Options of another process, whose clock is that of the fixture.
Options beside(const CacheFixture& f) {
  Options options;
  options.hooks.worker = WorkerMode::manual;
  options.hooks.clock = f.clock;
  return options;
}

/// A process fills the cache and is killed, so the log has content.
void fill_and_crash(const CacheFixture& f) {
  Child writer([&](Child::Parent& parent) -> std::string {
    Cache cache(f.path, beside(f));
    fill(cache);
    parent.notify();
    parent.wait_for();
    return "";
  });
  REQUIRE(writer.wait_for());
  writer.kill();
  REQUIRE(fs::file_size(f.path + "-wal") > 4096);
}

/// The content of the file, in which the pages that contain `text` are no pages of a table or
/// index.
std::string without_pages_of(std::string_view text, std::string content) {
  constexpr std::size_t kPage = 4096;
  for (std::size_t at = content.find(text); at != std::string::npos;
       at = content.find(text, at + 1)) {
    REQUIRE(at > kPage);
    content[at / kPage * kPage] = 0;
  }
  return content;
}

/// Fills the file. `crashed`: its log has content.
void leave_filled(CacheFixture& f, bool crashed) {
  if (crashed) return fill_and_crash(f);
  fill(f.cache());
  f.close();
}

bool has_all_old(Cache& cache) {
  bool has_all = true;
  for (const std::string& key : numbered("old", 10)) has_all = cache.contains(key) && has_all;
  return has_all;
}

/// The cache is open for reads only, and `health` gives this advice.
void check_is_only_read(CacheFixture& f, const char* advice = "make room on its disk") {
  CHECK(f->health().state == HealthState::degraded);
  CHECK_MESSAGE(has(f->health().last_error, "can only be read"), f->health().last_error);
  CHECK_MESSAGE(has(f->health().last_error, advice), f->health().last_error);
  CHECK(f.heard.count(NoticeKind::unavailable) == 1);
  CHECK(has_all_old(f.cache()));
  CHECK(f->stats().entries == 20);
}

/// Tries again to open the file for writing.
void try_again(CacheFixture& f) {
  f.clock->advance(1min);
  (void)f->run_maintenance();
}

void check_is_written(CacheFixture& f) {
  CHECK_MESSAGE(f->health().state == HealthState::ok, f->health().last_error);
  CHECK(f.heard.count(NoticeKind::available) == 1);
  CHECK(f.heard.count(NoticeKind::quarantined) == 0);
  CHECK(has_all_old(f.cache()));
  CHECK(f->put("later", 1));
  f->flush();
  CHECK(f.in_file("later"));
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a cache on a full disk is read, and written as soon as there is space") {
    for (const bool crashed : {false, true}) {
      for (const int system_error : {ENOSPC, EDQUOT, EFBIG}) {
        CAPTURE(crashed);
        CAPTURE(system_error);
        CacheFixture f;
        leave_filled(f, crashed);
        FaultVfs vfs;
        vfs.fill_disk(0, system_error);
        check_is_only_read(f);
        Tens tens(f.cache());
        CHECK(tens.are_right());
        CHECK(tens.computed == 0);
        for (int tries = 0; tries < 5; ++tries) {
          try_again(f);
          check_is_only_read(f);
        }
        CHECK(tens.are_right());
        CHECK(tens.computed == 0);
        vfs.heal();
        try_again(f);
        check_is_written(f);
        CHECK(tens.are_right());
        CHECK(tens.computed == 0);
      }
    }
  }

  TEST_CASE("a cache is read on a disk where no file can be created, not even FILE-lock") {
    struct Case {
      int system_error;
      const char* advice;
    };
    for (const Case& each :
         {Case{ENOSPC, "make room on its disk"}, Case{EROFS, "mount its file system for writing"},
          Case{EACCES, "may be written by this user"}}) {
      for (const bool crashed : {false, true}) {
        CAPTURE(each.system_error);
        CAPTURE(crashed);
        CacheFixture f;
        leave_filled(f, crashed);
        fs::remove(f.path + "-lock");
        bool fails = true;
        before_os_calls([&fails, error = each.system_error](const OsCall& call) {
          const bool writes = call.kind == OsCall::Kind::create ||
                              call.kind == OsCall::Kind::write || call.kind == OsCall::Kind::resize;
          return fails && writes ? error : 0;
        });
        check_is_only_read(f, each.advice);
        Tens tens(f.cache());
        CHECK(tens.are_right());
        CHECK(tens.computed == 0);
        for (int tries = 0; tries < 3; ++tries) {
          try_again(f);
          check_is_only_read(f, each.advice);
        }
        fails = false;
        try_again(f);
        check_is_written(f);
        f.close();
        before_os_calls({});
      }
    }
  }

  TEST_CASE("a file that is only read takes no puts, and memory keeps new results") {
    CacheFixture f;
    fill(f.cache());
    f.close();
    FaultVfs vfs;
    vfs.fill_disk(0);
    CHECK_FALSE(f->put("old0", 1));
    CHECK(f->get<int>("old0") == 1);
    Tens tens(f.cache());
    CHECK(tens.tens(Post{10}) == 100);
    f.clock->advance(1h);  // longer than the memory tier answers without a look at the file
    for (int tries = 0; tries < 3; ++tries) try_again(f);
    CHECK(f->get<int>("old0") == 1);
    CHECK(tens.tens(Post{10}) == 100);
    CHECK(tens.computed == 1);
    // What is read from the file is not copied into memory.
    const std::int64_t hits = f->stats().memory_hits;
    CHECK(f->contains("old1"));
    CHECK(f->contains("old1"));
    CHECK(f->stats().memory_hits == hits);
    CHECK(code_thrown_by([&] { f->flush(); }) == "store_failed");
    CHECK(code_thrown_by([&] { f->backup(f.dir.path("copy")); }) == "store_failed");
    vfs.heal();
    try_again(f);
    check_is_written(f);
    CHECK(f->get<std::string>("old0") == std::string(10, 'x'));
    CHECK(tens.tens(Post{10}) == 100);
    CHECK(tens.computed == 2);
  }

  TEST_CASE("removals and invalidations hold while the file is only read, and are written later") {
    CacheFixture f;
    fill(f.cache());
    f.close();
    FaultVfs vfs;
    vfs.fill_disk(0);
    Tens tens(f.cache());
    CHECK(tens.are_right());
    f->erase("old3");
    tens.posts.invalidate_all();
    for (int tries = 0; tries < 3; ++tries) {
      CHECK_FALSE(f->contains("old3"));
      CHECK(f->contains("old4"));
      CHECK(tens.are_right());
      CHECK(tens.computed == 10);
      try_again(f);
    }
    vfs.heal();
    try_again(f);
    CHECK(f->health().state == HealthState::ok);
    CHECK_FALSE(f->contains("old3"));
    CHECK(f->contains("old4"));
    CHECK(tens.are_right());
    CHECK(tens.computed == 20);
    f.reopen();
    CHECK_FALSE(f->contains("old3"));
  }

  TEST_CASE("a file that is only read is closed when another program takes it") {
    CacheFixture f;
    fill(f.cache());
    f.close();
    Child other([&](Child::Parent& parent) -> std::string {
      parent.wait_for();
      Cache cache(f.path, beside(f));
      (void)cache.put("theirs", 1);
      cache.erase("old5");
      cache.flush();
      parent.notify();
      parent.wait_for();
      cache.close();
      return "";
    });
    FaultVfs vfs;
    vfs.fill_disk(0);
    CHECK(has_all_old(f.cache()));
    other.notify();
    REQUIRE(other.wait_for());
    CHECK(f->contains("theirs"));
    CHECK_FALSE(f->contains("old5"));
    CHECK(f->contains("old6"));
    vfs.heal();
    try_again(f);
    CHECK(f->health().state == HealthState::unavailable);
    CHECK_MESSAGE(has(f->health().last_error, "another process"), f->health().last_error);
    other.notify();
    CHECK(other.wait_for_end().exit_code == 0);
    try_again(f);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->contains("theirs"));
    CHECK_FALSE(f->contains("old5"));
  }

  TEST_CASE("a file that is replaced while it is only read is not read any more") {
    CacheFixture f;
    fill(f.cache());
    f.close();
    CacheFixture other;
    other.fill("theirs", 1);
    other.close();
    FaultVfs vfs;
    vfs.fill_disk(0);
    CHECK(has_all_old(f.cache()));
    for (int i = 0; i < 10; ++i) try_again(f);  // the next try will be later than in a second
    CHECK(has_all_old(f.cache()));
    fs::rename(other.path, f.path);
    f.clock->advance(1s);  // the loss is seen before the next try to open the file for writing
    (void)f->run_maintenance();
    CHECK(f.heard.count(NoticeKind::file_lost) == 1);
    CHECK(f->contains("theirs0"));
    CHECK_FALSE(f->contains("old0"));
    vfs.heal();
    try_again(f);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f->contains("theirs0"));
  }

  TEST_CASE("damage that is seen while the file is only read does not replace the file") {
    CacheFixture f;
    fill(f.cache());
    f.close();
    const std::string intact = read_file(f.path);
    FaultVfs vfs;
    vfs.fill_disk(0);
    (void)f.cache();
    write_file(f.path, without_pages_of("old4", intact));
    CHECK_FALSE(f->contains("old4"));
    try_again(f);
    CHECK(f.heard.count(NoticeKind::read_failed) == 1);
    write_file(f.path, intact);
    try_again(f);
    check_is_only_read(f);
    vfs.heal();
    try_again(f);
    check_is_written(f);
  }

  TEST_CASE("opening on a full disk throws with throw_error") {
    CacheFixture f;
    fill(f.cache());
    f.close();
    f.options.when_unavailable = WhenUnavailable::throw_error;
    FaultVfs vfs;
    vfs.fill_disk(0);
    CHECK(code_thrown_by([&] { f.cache(); }) == "unavailable");
    vfs.heal();
    CHECK(has_all_old(f.cache()));
  }

  TEST_CASE("a read-only cache needs no space for the index of a log with content") {
    CacheFixture f;
    fill_and_crash(f);
    f.options.access = Access::read_only;
    FaultVfs vfs;
    vfs.fill_disk(0);
    CHECK_MESSAGE(f->health().state == HealthState::ok, f->health().last_error);
    CHECK(has_all_old(f.cache()));
    f.close();
    vfs.heal();
    f.options.access = Access::read_write;
    CHECK(has_all_old(f.cache()));
  }
}
