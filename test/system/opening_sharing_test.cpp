// Several users of one file: caches, processes, shells, and programs that delete it.

#include <doctest/doctest.h>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/platform.hpp"
#include "store/file_check.hpp"
#include "support/child.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::test;

TEST_SUITE("system") {
  TEST_CASE("a second store on one file in the same process is refused by name") {
    const TempDir dir;
    const auto first = open_at(dir.path("x"));
    REQUIRE(first.store);
    const auto second = open_at(dir.path("x"));
    CHECK(outcome(second) == "in_use");
    CHECK(second.store.failure().what.find(dir.path("x")) != std::string::npos);
    CHECK(put(**first.store, "new") == "committed");
  }

  TEST_CASE("a store in another process is refused until the first process dies") {
    const TempDir dir;
    const std::string path = dir.path("x");
    Child holder = process_that_holds(path);
    REQUIRE(holder.wait_for());
    const auto refused = open_at(path);
    CHECK(outcome(refused) == "in_use");
    CHECK(refused.store.failure().what.find(path) != std::string::npos);
    holder.kill();
    // The lock is free, and the file needs no repair.
    const auto opening = open_at(path);
    REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
    CHECK(opening.quarantine.empty());
    CHECK((*opening.store)->totals()->entries == 1);
    CHECK(has_key(path, "old"));
  }

  TEST_CASE("a file that another copy of the library in this process has open is refused") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    // The other copy has its own list of open files. Only the lock is known to both.
    auto lock = ashmemo::base::FileLock::acquire(path + "-lock", ashmemo::store::kLockMagic);
    REQUIRE(lock);
    const auto refused = open_at(path);
    CHECK(outcome(refused) == "in_use");
    CHECK_MESSAGE(message_of(refused).find("another copy of this library") != std::string::npos,
                  message_of(refused));
    lock->reset();
    CHECK(outcome(open_at(path)) == "open");
  }

  TEST_CASE("exactly one of fifty threads opens a file") {
    const TempDir dir;
    std::atomic<int> opened{0};
    std::atomic<int> refused{0};
    std::vector<Opening> openings(50);
    std::vector<std::thread> threads;
    for (Opening& opening : openings) {
      threads.emplace_back([&] {
        opening = open_at(dir.path("x"));
        if (opening.store) ++opened;
        if (outcome(opening) == "in_use") ++refused;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(opened == 1);
    CHECK(refused == 49);
    CHECK(outcome_in_child(dir.path("x")) == "in_use");
  }

  TEST_CASE("other openings in the process do not release the engine's locks") {
    const TempDir dir;
    const std::string path = dir.path("x");
    const auto engine = open_at(path);
    REQUIRE(engine.store);
    REQUIRE(put(**engine.store, "first") == "committed");
    CHECK(outcome(open_at(path)) == "in_use");
    {
      const auto reader = open_read_only(path);
      REQUIRE_MESSAGE(reader.store, reader.store.failure().what);
      CHECK((*reader.store)->totals()->entries == 1);
    }
    // The shell would delete the log if the engine had lost its locks.
    CHECK(shell(path, "SELECT 1") == "1\n");
    CHECK(exists(path + "-wal"));
    CHECK(put(**engine.store, "second") == "committed");
    CHECK(has_key(path, "second"));
    CHECK((*engine.store)->still_in_place());
    CHECK(outcome_in_child(path) == "in_use");
  }

  TEST_CASE("read-only opening needs a file and creates none") {
    const TempDir dir;
    CHECK(outcome(open_read_only(dir.path("x"))) == "unavailable");
    write_file(dir.path("x"), "");
    CHECK(outcome(open_read_only(dir.path("x"))) == "unavailable");
    CHECK(facts_of(dir.path()).size() == 1);
  }

  TEST_CASE("read-only opening quarantines nothing") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    const std::string whole = read_file(path);
    std::vector<std::string> damaged = {whole.substr(0, 4'096), "garbage"};
    shell(path, "PRAGMA user_version=3; PRAGMA journal_mode=DELETE");
    damaged.push_back(read_file(path));
    for (const std::string& content : damaged) {
      write_file(path, content);
      const auto opening = open_read_only(path);
      CHECK(outcome(opening) == "corrupt");
      CHECK(opening.quarantine.empty());
      CHECK(read_file(path) == content);
    }
  }

  TEST_CASE("a read-only store in another process sees the engine's commits") {
    const TempDir dir;
    const std::string path = dir.path("x");
    Child tool([&](Child::Parent& parent) -> std::string {
      parent.wait_for();
      const auto opening = open_read_only(path);
      if (!opening.store) return opening.store.failure().what;
      const auto before = (*opening.store)->totals();
      parent.notify();
      parent.wait_for();
      (*opening.store)->release_snapshots(0);
      const auto after = (*opening.store)->totals();
      return std::to_string(before->entries) + " then " + std::to_string(after->entries);
    });
    const auto engine = open_at(path);
    REQUIRE(engine.store);
    tool.notify();
    REQUIRE(tool.wait_for());
    CHECK(put(**engine.store, "new") == "committed");
    tool.notify();
    CHECK(tool.wait_for_end().said == "0 then 1");
    CHECK((*engine.store)->still_in_place());
  }

  TEST_CASE("opening fails as busy while another program locks the file") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    shell(path, "PRAGMA journal_mode=DELETE");
    Program program({"sqlite3", path});
    program.send("BEGIN EXCLUSIVE; SELECT 'held';");
    REQUIRE(program.read_line() == "held");
    const auto opening = open_at(path);
    CHECK(outcome(opening) == "busy");
    CHECK(opening.quarantine.empty());
    program.send("ROLLBACK;");
    CHECK(program.finish().exit_code == 0);
    CHECK(outcome(open_at(path)) == "open");
    CHECK(has_key(path, "old"));
  }

  TEST_CASE("still_in_place is false after a file is deleted") {
    const TempDir dir;
    const std::string path = dir.path("x");
    for (const std::string suffix : {"", "-wal", "-lock"}) {
      INFO(suffix);
      const auto opening = open_at(path);
      REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
      CHECK((*opening.store)->still_in_place());
      fs::remove(path + suffix);
      CHECK_FALSE((*opening.store)->still_in_place());
      (*opening.store)->close();
      fs::remove(path);
    }
  }
}
