// A program that gives up its rights or changes its root directory keeps the cache that it has
// open.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <ashmemo/cache.hpp>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/fault_vfs.hpp"
#include "support/opening.hpp"
#include "support/system_calls.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Opens a cache, calls `change`, and uses the cache. Returns "works", or what did not work.
std::string use_after(const std::string& path, const std::function<bool()>& change) {
  const auto clock = std::make_shared<ManualClock>();
  Heard heard;
  Options options = manual_options(clock);
  options.hooks.on_error = [&heard](const Notice& notice) { heard.add(notice); };
  Cache cache(path, options);
  if (!cache.put("before", 1)) return "the first put failed";
  cache.flush();
  if (!change()) return "the change failed";
  for (int round = 0; round < 3; ++round) {
    const std::string key = "after" + std::to_string(round);
    if (!cache.put(key, round)) return key + " was not stored";
    cache.flush();
    clock->advance(10s);
    (void)cache.run_maintenance();
    if (cache.get<int>("before") != 1) return "the old entry is lost";
    if (cache.get<int>(key) != round) return key + " is lost";
    if (!cache.check().ok) return "the file is damaged";
  }
  if (!heard.notices().empty()) return heard.notices().front().what;
  return cache.health().state == HealthState::ok ? "works" : cache.health().last_error;
}

/// Opens a closed cache with the entry "old" as read-only, calls `change`, and reads the entry.
std::string read_after(const std::string& path, const std::function<bool()>& change) {
  const auto clock = std::make_shared<ManualClock>();
  Options options;
  options.access = Access::read_only;
  options.hooks.clock = clock;
  Cache cache(path, options);
  if (cache.get<int>("old") != 1) return "the first read failed";
  if (!change()) return "the change failed";
  for (int round = 0; round < 5; ++round) {
    if (cache.get<int>("old") != 1) return "the entry is lost in round " + std::to_string(round);
    if (!cache.check().ok) return "the file is damaged";
    clock->advance(1s);
  }
  return cache.health().state == HealthState::ok ? "works" : cache.health().last_error;
}

/// Gives up rights, lets a read and a backup fail, and reads after each. Returns "works", or what
/// did not work.
std::string read_after_failures(const TempDir& dir) {
  std::atomic<int> failing{0};  // errno of all reads and writes of SQLite
  before_os_calls([&failing](const OsCall& call) {
    const bool moves_data = call.kind == OsCall::Kind::read || call.kind == OsCall::Kind::write;
    return call.is_by_sqlite && moves_data ? failing.load() : 0;
  });
  Cache cache(dir.path("x"), manual_options(std::make_shared<ManualClock>()));
  (void)cache.put("k", 1);
  cache.flush();
  if (cache.get<int>("k") != 1) return "the first read failed";
  drop_privileges();
  (void)cache.put("k", 2);
  cache.flush();  // the reader has no current page
  failing = EIO;
  const bool has_failed = !cache.get<int>("k");
  failing = 0;
  if (!has_failed) return "no read failed";
  if (cache.get<int>("k") != 2) return "no read works after one that failed";
  cache.flush();  // so that the backup writes only the copy
  failing = EIO;
  const auto error = thrown_by([&] { cache.backup(dir.path("copy")); });
  failing = 0;
  if (!error) return "no copy failed";
  if (!has(error->what(), "copying the file")) return error->what();
  return cache.get<int>("k") == 2 ? "works" : "no read works after a backup that failed";
}

/// Changes the root to `jail`, damages the file, and lets the cache notice it. Returns the last
/// error.
std::string damage_after_change_of_root(const std::string& path,
                                        const std::function<bool()>& change) {
  const auto clock = std::make_shared<ManualClock>();
  Cache cache(path, manual_options(clock));
  for (const std::string& key : numbered("k", 1'000)) (void)cache.put(key, std::string(100, 'x'));
  cache.compact();  // empties the log
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0 || !change()) return "the change failed";
  std::array<char, 4096> garbage{};
  garbage.fill('#');
  for (off_t at = 4096; at < ::lseek(file, 0, SEEK_END); at += 4096) {
    if (::pwrite(file, garbage.data(), garbage.size(), at) != 4096) return "no damage";
  }
  (void)cache.put("new", 1);
  for (int round = 0; round < 3; ++round) {
    (void)cache.get<std::string>("k7");
    (void)cache.run_maintenance();
    clock->advance(1min);
  }
  return std::string(to_string(cache.health().state)) + ": " + cache.health().last_error;
}

/// Opens a closed cache with the entry "old" on a full disk, calls `change`, and reads the entry
/// while the disk has space again. Returns "works", or what did not work.
std::string read_after_full_disk(const std::string& path, const std::function<bool()>& change) {
  const auto clock = std::make_shared<ManualClock>();
  FaultVfs vfs;
  vfs.fill_disk(0);
  Cache cache(path, manual_options(clock));
  if (cache.health().state != HealthState::degraded) return "it is not only read";
  if (cache.get<int>("old") != 1) return "the first read failed";
  if (!change()) return "the change failed";
  vfs.heal();
  for (int round = 0; round < 3; ++round) {
    clock->advance(1min);
    (void)cache.run_maintenance();
    if (cache.get<int>("old") != 1) return "the entry is lost in round " + std::to_string(round);
  }
  return "works";
}

void make_closed_cache(const std::string& path) {
  Options options;
  options.hooks.clock = std::make_shared<ManualClock>();
  Cache cache(path, options);
  CHECK(cache.put("old", 1));
}

bool change_root(const std::string& folder) {
  return ::chroot(folder.c_str()) == 0 && ::chdir("/") == 0;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a cache stays open after its program gives up the rights to open it") {
    if (!is_root()) {
      MESSAGE("skipped: giving up rights needs root");
      return;
    }
    const TempDir dir;
    const ChildEnd end = in_child([&] {
      return use_after(dir.path("x"), [] {
        drop_privileges();
        return true;
      });
    });
    CHECK(end.said == "works");
    CHECK(in_child([&] {
            const Cache cache(dir.path("x"));
            return std::to_string(cache.stats().entries);
          }).said == "4");
  }

  TEST_CASE("a failed read or backup ends no later read of a program that gave up its rights") {
    if (!is_root()) {
      MESSAGE("skipped: giving up rights needs root");
      return;
    }
    const TempDir dir;
    dir.open_to_all();
    CHECK(in_child([&] { return read_after_failures(dir); }).said == "works");
  }

  TEST_CASE("a read-only cache stays open after its program gives up rights or changes its root") {
    if (!is_root()) {
      MESSAGE("skipped: giving up rights needs root");
      return;
    }
    const TempDir dir;
    make_closed_cache(dir.path("x"));
    const std::string decoy = dir.path("jail") + dir.path("x");
    fs::create_directories(fs::path(decoy).parent_path());
    write_file(decoy, "another file");
    const auto give_up = [] {
      drop_privileges();
      return true;
    };
    const auto leave = [&] { return change_root(dir.path("jail")); };
    CHECK(in_child([&] { return read_after(dir.path("x"), give_up); }).said == "works");
    CHECK(in_child([&] { return read_after(dir.path("x"), leave); }).said == "works");
    dir.open_to_all();
    CHECK(in_child([&] { return read_after(dir.path("x"), give_up); }).said == "works");
  }

  TEST_CASE("a cache stays open after its program changes the root directory") {
    if (!is_root()) {
      MESSAGE("skipped: changing the root directory needs root");
      return;
    }
    const TempDir dir;
    // The new root has another file at the path of the cache. It must not be used.
    const std::string decoy = dir.path("jail") + dir.path("x");
    fs::create_directories(fs::path(decoy).parent_path());
    write_file(decoy, "another file");
    const ChildEnd end = in_child(
        [&] { return use_after(dir.path("x"), [&] { return change_root(dir.path("jail")); }); });
    CHECK(end.said == "works");
    CHECK(read_file(decoy) == "another file");
    CHECK(in_child([&] {
            const Cache cache(dir.path("x"));
            return std::to_string(cache.stats().entries);
          }).said == "4");
  }

  TEST_CASE("a file that is only read stays open after its program changes the root directory") {
    if (!is_root()) {
      MESSAGE("skipped: changing the root directory needs root");
      return;
    }
    const TempDir dir;
    make_closed_cache(dir.path("x"));
    fs::create_directories(dir.path("jail"));
    CHECK(in_child([&] {
            return read_after_full_disk(dir.path("x"),
                                        [&] { return change_root(dir.path("jail")); });
          }).said == "works");
  }

  TEST_CASE("a damaged cache is not opened in another root directory") {
    if (!is_root()) {
      MESSAGE("skipped: changing the root directory needs root");
      return;
    }
    for (const bool has_decoy : {true, false}) {
      CAPTURE(has_decoy);
      const TempDir dir;
      const std::string decoy = dir.path("jail") + dir.path("x");
      const std::string folder = fs::path(decoy).parent_path().string();
      fs::create_directories(folder);
      if (has_decoy) make_closed_cache(decoy);
      const auto before = facts_of(folder);
      const ChildEnd end = in_child([&] {
        return damage_after_change_of_root(dir.path("x"),
                                           [&] { return change_root(dir.path("jail")); });
      });
      CHECK_MESSAGE(has(end.said, "unavailable"), end.said);
      CHECK_MESSAGE(has(end.said, "has changed its root directory"), end.said);
      CHECK(facts_of(folder) == before);
    }
  }
}
