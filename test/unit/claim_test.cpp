#include "store/claim.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/system_calls.hpp"
#include "support/child.hpp"
#include "support/opening.hpp"
#include "support/rendezvous.hpp"
#include "support/system_calls.hpp"
#include "support/temp_dir.hpp"
#include "support/watchdog.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::base;
using namespace ashmemo::store;
using namespace ashmemo::test;

namespace {

CachePaths paths_of(const std::string& file) {
  auto paths = resolve(file);
  REQUIRE_MESSAGE(paths, paths.failure().what);
  return *paths;
}

// Returns "ok" or the name of the failure's kind.
template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : kind_name(result.failure().kind);
}

std::string claim_in_child(const std::string& path) {
  return in_child([&] { return outcome(ClaimedFile::for_writing(path)); }).said;
}

/// Makes the first thread that creates a file wait until `event` happens.
class Stuck {
 public:
  explicit Stuck(std::string event) {
    before_os_calls([this, event = std::move(event)](const OsCall& call) {
      if (call.kind != OsCall::Kind::create || is_taken_.exchange(true)) return 0;
      events.happened("stuck");
      events.wait_for(event);
      return 0;
    });
  }
  ~Stuck() { before_os_calls({}); }
  Stuck(const Stuck&) = delete;
  Stuck& operator=(const Stuck&) = delete;

  Events events;

 private:
  std::atomic<bool> is_taken_{false};
};

int lstat_of_another_user(const char* path, struct stat* state) noexcept {
  const int result = ::lstat(path, state);
  if (result == 0 && S_ISREG(state->st_mode)) ++state->st_uid;
  return result;
}

/// While it lives, all files belong to another user, as on a mount with the option uid=.
struct FilesOfAnotherUser {
  FilesOfAnotherUser() { sys::lstat = lstat_of_another_user; }
  ~FilesOfAnotherUser() { sys::lstat = before; }
  FilesOfAnotherUser(const FilesOfAnotherUser&) = delete;
  FilesOfAnotherUser& operator=(const FilesOfAnotherUser&) = delete;

  const decltype(sys::lstat) before = sys::lstat;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("caches that open and close beside another one share one descriptor") {
    for (const bool stays_a_writer : {false, true}) {
      INFO("a writer stays: " << stays_a_writer);
      const TempDir dir;
      make_cache(dir.path("x"));
      const auto claim = [&](bool writes) {
        return writes ? ClaimedFile::for_writing(dir.path("x"))
                      : ClaimedFile::for_reading(dir.path("x"));
      };
      const auto stays = claim(stays_a_writer);
      REQUIRE(stays);
      const auto descriptors_after_another = [&] {
        CHECK(outcome(claim(!stays_a_writer)) == "ok");
        const fs::directory_iterator all("/proc/self/fd");
        return std::distance(begin(all), end(all));
      };
      const auto first = descriptors_after_another();
      for (int i = 0; i < 3; ++i) CHECK(descriptors_after_another() == first);
    }
  }

  TEST_CASE("a path is resolved in a program without any VFS of SQLite") {
    const TempDir dir;
    const ChildEnd end = in_child([&] {
      while (sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr)) sqlite3_vfs_unregister(vfs);
      return outcome(resolve(dir.path("x")));
    });
    CHECK(end.said == "ok");
  }

  TEST_CASE("a root directory that cannot be read is no other root directory") {
    for (const bool fails_first : {true, false}) {
      const TempDir dir;
      bool fails = fails_first;
      before_os_calls([&](const OsCall& call) {
        const bool is_root = call.path != nullptr && std::string_view(call.path) == "/";
        return fails && is_root ? EIO : 0;
      });
      const auto claim = ClaimedFile::for_writing(dir.path("x"));
      REQUIRE(claim);
      fails = !fails;
      CHECK((*claim)->check_in_place());
      fs::remove(dir.path("x"));
      CHECK_FALSE((*claim)->still_in_place());
      before_os_calls({});
    }
  }

  TEST_CASE("a file system that gives files to another user fails each start in the same way") {
    const TempDir dir;
    const FilesOfAnotherUser files;
    for (int start = 0; start < 2; ++start) {
      const auto claim = ClaimedFile::for_writing(dir.path("x"));
      REQUIRE(outcome(claim) == "unavailable");
      CHECK(claim.failure().what.find("belongs to another user") != std::string::npos);
      CHECK(fs::is_empty(dir.path()));
    }
  }

  TEST_CASE("a file system that does not answer blocks only the files on it") {
    const Watchdog watchdog("a claim beside one that hangs");
    const TempDir dir;
    Stuck stuck("both are done");
    std::thread other([&] { CHECK(outcome(ClaimedFile::for_writing(dir.path("hangs"))) == "ok"); });
    stuck.events.wait_for("stuck");
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    CHECK(outcome(claim) == "ok");
    std::string renamed_to;
    CHECK((*claim)->quarantine(0, &renamed_to));
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) != "ok");  // the new file is empty
    stuck.events.happened("both are done");
    other.join();
  }

  TEST_CASE("two threads that claim one file at once do not both get it") {
    const TempDir dir;
    Stuck stuck("go on");
    std::string first;
    std::thread other([&] {
      const auto claim = ClaimedFile::for_writing(dir.path("x"));
      first = outcome(claim);
      stuck.events.wait_for("second is done");
    });
    stuck.events.wait_for("stuck");
    std::string second;
    std::thread another([&] {
      second = outcome(ClaimedFile::for_writing(dir.path("x")));
      stuck.events.happened("second is done");
    });
    stuck.events.happened("go on");
    another.join();
    other.join();
    CHECK(first == "ok");
    CHECK(second == "in_use");
  }

  TEST_CASE("resolve follows links in all components of a path except the last") {
    const TempDir dir;
    fs::create_directory(dir.path("real"));
    fs::create_directory_symlink("real", dir.path("alias"));
    const CachePaths paths = paths_of(dir.path("alias/../alias/./x"));
    CHECK(paths.file == dir.path("real/x"));
    CHECK(paths.wal == dir.path("real/x-wal"));
    CHECK(paths.shm == dir.path("real/x-shm"));
    CHECK(paths.journal == dir.path("real/x-journal"));
    CHECK(paths.lock == dir.path("real/x-lock"));
    CHECK(paths_of("x").file == fs::current_path().string() + "/x");
  }

  TEST_CASE("a path that cannot be a file is refused") {
    const TempDir dir;
    write_file(dir.path("file"), "");
    const auto missing = resolve(dir.path("no/such/x"));
    CHECK(outcome(missing) == "unavailable");
    CHECK(missing.failure().what.find(dir.path("no/such")) != std::string::npos);
    CHECK(outcome(resolve(dir.path("no/such/"))) == "not_ours");
    CHECK(outcome(resolve(dir.path("."))) == "not_ours");
    CHECK(outcome(resolve(dir.path(".."))) == "not_ours");
    CHECK(outcome(resolve("")) == "unavailable");
    CHECK(outcome(resolve(std::string("a\0b", 3))) == "unavailable");
    // A component of the path is a file instead of a folder.
    CHECK_FALSE(ClaimedFile::for_writing(dir.path("file/x")));
    for (const auto& too_long : {resolve(dir.path(std::string(227, 'n'))),
                                 resolve("/" + std::string(300, '/') + std::string(230, 'n'))}) {
      CHECK(outcome(too_long) == "unavailable");
      CHECK_MESSAGE(too_long.failure().what.find("too long") != std::string::npos,
                    too_long.failure().what);
    }
    CHECK(outcome(resolve(dir.path(std::string(226, 'n')))) == "ok");
    CHECK(read_file(dir.path("file")).empty());
  }

  TEST_CASE("the line in the lock file names the library and is short enough to be read whole") {
    CHECK(kLockMagic.size() <= 100);
    CHECK(kLockMagic.back() == '\n');
    CHECK(kLockMagic.find("ashmemo") != std::string_view::npos);
  }

  TEST_CASE("a claim fails with in_use for every name of a claimed file") {
    const TempDir dir;
    fs::create_directory(dir.path("folder"));
    fs::create_directory_symlink("folder", dir.path("alias"));
    const auto claim = ClaimedFile::for_writing(dir.path("folder/x"));
    REQUIRE(claim);
    fs::create_hard_link(dir.path("folder/x"), dir.path("other name"));
    const auto old = fs::current_path();
    fs::current_path(dir.path());
    const std::string relative = outcome(ClaimedFile::for_writing("./folder/../folder/x"));
    fs::current_path(old);
    CHECK(relative == "in_use");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("folder/x"))) == "in_use");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("alias/x"))) == "in_use");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("other name"))) == "in_use");
    CHECK_FALSE(exists(dir.path("other name-lock")));
    CHECK(claim_in_child(dir.path("folder/x")) == "in_use");
    const auto again = ClaimedFile::for_writing(dir.path("folder/x"));
    CHECK(again.failure().what.find(dir.path("folder/x")) != std::string::npos);
  }

  TEST_CASE("a refused second claim does not release the lock of the first claim") {
    const TempDir dir;
    auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "in_use");
    CHECK(claim_in_child(dir.path("x")) == "in_use");
    fs::rename(dir.path("x"), dir.path("kept"));  // keeps the inode in use
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "in_use");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "unavailable");
    write_file(dir.path("x"), "replaced by something else");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "in_use");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "corrupt");
    CHECK(claim_in_child(dir.path("x")) == "in_use");
    CHECK(read_file(dir.path("x")) == "replaced by something else");
  }

  TEST_CASE("a file can be claimed after the previous claim has ended") {
    const TempDir dir;
    auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    claim->reset();
    CHECK(claim_in_child(dir.path("x")) == "ok");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "ok");
  }

  TEST_CASE("a claim for reading does not block a writer and a writer does not block it") {
    const TempDir dir;
    make_cache(dir.path("x"));
    fs::remove(dir.path("x-lock"));
    const auto reader = ClaimedFile::for_reading(dir.path("x"));
    REQUIRE(reader);
    CHECK_FALSE(exists(dir.path("x-lock")));
    const auto writer = ClaimedFile::for_writing(dir.path("x"));
    CHECK(outcome(writer) == "ok");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "ok");
    CHECK(claim_in_child(dir.path("x")) == "in_use");
  }

  TEST_CASE("a claim for reading does not read the header of a file that this process has open") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const auto writer = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(writer);
    // If the claim read the header, it would fail now.
    write_file(dir.path("x"), "no header");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "ok");
    CHECK(claim_in_child(dir.path("x")) == "in_use");
  }

  TEST_CASE("a claim creates no lock file beside a file that is not a cache") {
    const TempDir dir;
    write_file(dir.path("x"), "my notes");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "not_ours");
    CHECK_FALSE(exists(dir.path("x-lock")));
    // A second attempt is refused, too.
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
    CHECK(read_file(dir.path("x")) == "my notes");
  }

  TEST_CASE("a claim completes a creation that stopped before the cache file existed") {
    const TempDir dir;
    for (const std::string_view lock :
         {kLockMagic.substr(0, 0), kLockMagic.substr(0, 20), kLockMagic}) {
      write_file(dir.path("x-lock"), lock);
      auto claim = ClaimedFile::for_writing(dir.path("x"));
      REQUIRE(claim);
      CHECK(claim.value()->damage().empty());
      CHECK(read_file(dir.path("x-lock")) == kLockMagic);
      claim->reset();
      fs::remove(dir.path("x"));
    }
  }

  TEST_CASE("a claim makes an empty file private to its owner") {
    const TempDir dir;
    write_file(dir.path("x"), "");
    fs::permissions(dir.path("x"), fs::perms(0644));
    REQUIRE(ClaimedFile::for_writing(dir.path("x")));
    CHECK(fs::status(dir.path("x")).permissions() == fs::perms(0600));
  }

  TEST_CASE("a claim removes files beside a deleted cache only if its lock file exists") {
    const TempDir dir;
    for (const std::string beside : {"x-wal", "x-journal"}) {
      for (const bool file_is_empty : {false, true}) {
        INFO(beside);
        write_file(dir.path(beside), "leftover");
        if (file_is_empty) write_file(dir.path("x"), "");
        const auto refused = ClaimedFile::for_writing(dir.path("x"));
        CHECK(outcome(refused) == "not_ours");
        CHECK(read_file(dir.path(beside)) == "leftover");
        CHECK(exists(dir.path("x")) == file_is_empty);
        CHECK_FALSE(exists(dir.path("x-lock")));
        write_file(dir.path("x-lock"), kLockMagic);
        CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "ok");
        CHECK_FALSE(exists(dir.path(beside)));
        fs::remove(dir.path("x"));
        fs::remove(dir.path("x-lock"));
      }
    }
  }

  TEST_CASE("a claim is refused if a file beside the cache is a link, a folder or has two names") {
    const TempDir dir;
    make_cache(dir.path("x"));
    fs::remove(dir.path("x-lock"));
    const std::string content = read_file(dir.path("x"));
    for (const std::string beside : {"x-wal", "x-shm", "x-journal", "x-lock"}) {
      INFO(beside);
      fs::create_symlink(dir.path("target"), dir.path(beside));
      const auto link = ClaimedFile::for_writing(dir.path("x"));
      CHECK(outcome(link) == "not_ours");
      CHECK(link.failure().what.find(dir.path(beside)) != std::string::npos);
      fs::remove(dir.path(beside));
      fs::create_directory(dir.path(beside));
      CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
      fs::remove(dir.path(beside));
      write_file(dir.path(beside), "");
      fs::create_hard_link(dir.path(beside), dir.path("second name"));
      CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
      fs::remove(dir.path(beside));
      fs::remove(dir.path("second name"));
    }
    CHECK_FALSE(exists(dir.path("target")));
    CHECK(read_file(dir.path("x")) == content);
    write_file(dir.path("x-lock"), "a list of my locks");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
    CHECK(read_file(dir.path("x-lock")) == "a list of my locks");
  }

  TEST_CASE(
      "still_in_place is false while the cache, its log or its lock file is moved or replaced") {
    const TempDir dir;
    for (const char* name : {"x", "x-wal", "x-lock"}) {
      for (const bool replaced : {false, true}) {
        INFO(name);
        {
          const auto claim = ClaimedFile::for_writing(dir.path("x"));
          REQUIRE(claim);
          write_file(dir.path("x-wal"), "");
          REQUIRE(claim.value()->begin_use());
          CHECK(claim.value()->still_in_place());
          fs::rename(dir.path(name), dir.path("kept"));
          if (replaced) write_file(dir.path(name), "");
          CHECK_FALSE(claim.value()->still_in_place());
          fs::rename(dir.path("kept"), dir.path(name));
          CHECK(claim.value()->still_in_place());
        }
        fs::remove(dir.path("x"));
      }
    }
  }

  TEST_CASE("a file that another program has locked cannot be used until it is unlocked") {
    const TempDir dir;
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    write_file(dir.path("x-wal"), "");
    constexpr std::int64_t kPending = 0x4000'0000;  // and SQLite's other bytes for locks
    Child other([&](Child::Parent& parent) -> std::string {
      const auto lock = RangeLock::open(dir.path("x"), RangeLock::Mode::exclusive);
      if (lock && *lock) (void)(*lock)->lock(RangeLock::Mode::exclusive, kPending, 512);
      parent.notify();
      parent.wait_for();
      return lock && *lock ? "locked" : "no such locks";
    });
    REQUIRE(other.wait_for());
    const std::string shared = outcome(claim.value()->begin_use(false));
    const std::string exclusive = outcome(claim.value()->begin_use(true));
    other.notify();
    if (other.wait_for_end().said == "locked") {
      CHECK(shared == "busy");
      CHECK(exclusive == "busy");
    }
    CHECK(outcome(claim.value()->begin_use(true)) == "ok");
  }

  TEST_CASE("a log that is deleted while the file is opened is a failure") {
    const TempDir dir;
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    CHECK(claim.value()->is_log_in_place());  // it is not known yet
    CHECK(claim.value()->still_in_place());
    CHECK(outcome(claim.value()->begin_use()) == "unavailable");
  }

  TEST_CASE("the end of a claim drops only a log that replaced its own") {
    const TempDir dir;
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    write_file(dir.path("x-wal"), "our log");
    REQUIRE(claim.value()->begin_use());
    const auto replace = [&](const std::string& name) {
      fs::rename(dir.path(name), dir.path("kept " + name));  // so that its inode is not used again
      write_file(dir.path(name), "another one");
    };
    SUBCASE("a log from before the end") {
      replace("x-wal");
      CHECK_FALSE(claim.value()->is_log_in_place());
      claim.value()->end_use();
      claim.value()->drop_other_log();
      CHECK_FALSE(exists(dir.path("x-wal")));
    }
    SUBCASE("a log from after the end") {
      claim.value()->end_use();
      replace("x-wal");
      claim.value()->drop_other_log();
      CHECK(exists(dir.path("x-wal")));
    }
    SUBCASE("a log that came with another file") {
      replace("x-wal");
      replace("x");
      claim.value()->end_use();
      claim.value()->drop_other_log();
      CHECK(exists(dir.path("x-wal")));
    }
    SUBCASE("its own log") {
      CHECK(claim.value()->is_log_in_place());
      claim.value()->end_use();
      claim.value()->drop_other_log();
      CHECK(exists(dir.path("x-wal")));
    }
  }

  TEST_CASE("a claim for reading holds a log with content and notices its replacement") {
    const TempDir dir;
    make_cache(dir.path("x"));
    bool has_locks = true;
    SUBCASE("with locks of open files") {}
    SUBCASE("without locks of open files") { has_locks = false; }
    before_os_calls([&](const OsCall& call) {
      return !has_locks && !call.is_by_sqlite && call.kind == OsCall::Kind::lock ? ENOLCK : 0;
    });
    const auto claim = ClaimedFile::for_reading(dir.path("x"));
    REQUIRE(claim);
    write_file(dir.path("x-wal"), "");
    (*claim)->hold_log();
    fs::rename(dir.path("x-wal"), dir.path("empty"));  // keeps the inode in use
    CHECK((*claim)->still_in_place());                 // no reader used it
    write_file(dir.path("x-wal"), "content");
    (*claim)->hold_log();
    CHECK((*claim)->check_in_place());
    fs::rename(dir.path("x-wal"), dir.path("kept"));
    CHECK_FALSE((*claim)->still_in_place());
    write_file(dir.path("x-wal"), "another one");
    CHECK_FALSE((*claim)->still_in_place());
    CHECK(outcome((*claim)->check_in_place()) == "unavailable");
    (*claim)->end_use();
    (*claim)->drop_other_log();
    CHECK(read_file(dir.path("x-wal")) == "another one");
    before_os_calls({});
  }

  TEST_CASE("a forked child that ends its claim does not end its parent's claim") {
    const TempDir dir;
    auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    const ChildEnd end = in_child([&]() -> std::string {
      claim->reset();
      return "";
    });
    CHECK(end.exit_code == 0);
    CHECK(claim_in_child(dir.path("x")) == "in_use");
  }
}
