// The write-ahead log of an open cache, and programs that delete it.

#include <doctest/doctest.h>
#include <signal.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/opening.hpp"
#include "support/rendezvous.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// With a thread, whose passes look for a lost file only once a second.
Options acknowledging(Durability durability) {
  Options options;
  options.durability = durability;
  options.timing.max_wait = 1min;  // on a busy machine
  return options;
}

/// Does what a file dialog, a hash or an archive program does.
void read_by_hand(const std::string& path) { std::ifstream(path, std::ios::binary).get(); }

/// A process puts "a", calls `disturb`, puts "b", and is killed. Returns what failed before, or "".
std::string put_and_be_killed(const std::string& path, Durability durability,
                              const std::function<void()>& disturb) {
  const ChildEnd end = in_child([&]() -> std::string {
    Cache cache(path, acknowledging(durability));
    if (!cache.put("a", 1)) return "a was not acknowledged";
    disturb();
    if (!cache.put("b", 1)) return "b was not acknowledged";
    ::raise(SIGKILL);
    return "not killed";
  });
  return end.exit_code == kKilled ? "" : end.said;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("an acknowledged write is in the file although the log was deleted or replaced") {
    for (const Durability durability : {Durability::commit, Durability::power}) {
      const TempDir dir;
      const std::string path = dir.path("x");
      SUBCASE("deleted") {
        CHECK(put_and_be_killed(path, durability, [&] { fs::remove(path + "-wal"); }) == "");
        CHECK(has_key(path, "a"));
      }
      SUBCASE("replaced by an empty one") {
        CHECK(put_and_be_killed(path, durability, [&] {
                write_file(path + "-new", "");
                fs::permissions(path + "-new", fs::perms(0600));
                fs::rename(path + "-new", path + "-wal");  // the worker may look at any moment
              }) == "");
        CHECK(has_key(path, "a"));
      }
      SUBCASE("replaced by a copy") {
        CHECK(put_and_be_killed(path, durability, [&] {
                fs::copy_file(path + "-wal", path + "-copy");
                fs::rename(path + "-copy", path + "-wal");
              }) == "");
        CHECK(has_key(path, "a"));
      }
      SUBCASE("deleted with its index") {
        CHECK(put_and_be_killed(path, durability, [&] {
                fs::remove(path + "-wal");
                fs::remove(path + "-shm");
              }) == "");
        CHECK(has_key(path, "a"));
      }
      CHECK(has_key(path, "b"));
      CHECK(shell(path, "PRAGMA integrity_check") == "ok\n");
    }
  }

  TEST_CASE("a deleted log is reported, and no write is lost") {
    CacheFixture f({.durability = Durability::commit});
    CHECK(f->put("a", 1));
    for (int times = 1; times <= 3; ++times) {
      fs::remove(f.path + "-wal");
      CHECK(f->put("b", times));
      CHECK(f.in_file("a"));
      CHECK(f->get<int>("b") == times);
      CHECK(f.heard.count(NoticeKind::file_lost) == times);
      CHECK_MESSAGE(has(f.heard.last(NoticeKind::file_lost).what, f.path + "-wal was deleted"),
                    f.heard.last(NoticeKind::file_lost).what);
      CHECK(f->health().state == HealthState::ok);
      f.close_raw();
    }
    CHECK(f->stats().dropped == 0);
    CHECK(f.heard.notices().size() == 3);
  }

  TEST_CASE("a removal is counted and reported although its log was deleted after the commit") {
    CacheFixture f({.durability = Durability::commit});
    f.listen_to_removals();
    for (const char* key : {"a", "p1", "p2"}) CHECK(f->put(key, 1));
    bool deletes = true;
    const AtTestPoints points([&](std::string_view point) {
      if (point != "commit: done" || !std::exchange(deletes, false)) return;
      fs::remove(f.path + "-wal");
      fs::remove(f.path + "-shm");
    });
    SUBCASE("of a key") {
      CHECK(f->erase("a"));
      CHECK(f.heard.removals() == std::vector<std::string>{"a erased"});
      CHECK(f->stats().erased == 1);
      CHECK_FALSE(f.in_file("a"));
    }
    SUBCASE("of a prefix") {
      CHECK(f->erase_prefix("p") == 2);
      CHECK(f.heard.removals() == std::vector<std::string>{"p1 erased", "p2 erased"});
      CHECK(f->stats().erased == 2);
      CHECK(f.in_file("a"));
    }
    CHECK(f.heard.count(NoticeKind::file_lost) == 1);
  }

  TEST_CASE("acknowledged writes stay when another program has created a new log") {
    CacheFixture f({.durability = Durability::commit});
    CHECK(f->put("a", 1));
    f->compact();
    f.fill("k", 100, 200);
    fs::remove(f.path + "-wal");
    fs::remove(f.path + "-shm");
    // The shell changes pages of the file as it was before the fill.
    Program program({"sqlite3", f.path});
    program.send("UPDATE cache_entries SET value = 2 WHERE cache_key = 'a'; SELECT 'done';");
    CHECK(program.read_line() == "done");
    REQUIRE(fs::file_size(f.path + "-wal") > 0);
    CHECK(f->put("after", 1));
    CHECK(f->get<int>("after") == 1);
    CHECK(f->stats().entries == 102);
    for (const std::string& key : numbered("k", 100)) CHECK(f->contains(key));
    CHECK(f->check().ok);
    (void)program.finish();
    CHECK(f->check().ok);
    CHECK(f.heard.count(NoticeKind::file_lost) == 1);
    CHECK(f.heard.notices().size() == 1);
  }

  TEST_CASE("a program that reads its own file by hand keeps its log") {
    const TempDir dir;
    const std::string path = dir.path("x");
    CHECK(put_and_be_killed(path, Durability::power, [&] {
            read_by_hand(path);
            read_by_hand(path + "-lock");
            (void)shell(path, "SELECT count(*) FROM cache_entries");
            if (!exists(path + "-wal")) throw std::runtime_error("the log was deleted");
          }) == "");
    CHECK(has_key(path, "a"));
    CHECK(has_key(path, "b"));
  }

  TEST_CASE("no program can use an exclusive file although its own program read it by hand") {
    CacheFixture f({.durability = Durability::commit, .memory_bytes = 0, .exclusive = true});
    f.fill("k", 50, 500);
    f->flush();
    read_by_hand(f.path);
    for (const char* const sql : {"SELECT count(*) FROM cache_entries",
                                  "DELETE FROM cache_entries WHERE cache_key < 'k3'"}) {
      const ChildEnd end = run_program({"sqlite3", f.path, sql});
      CHECK(end.exit_code != 0);
      CHECK_MESSAGE(has(end.said, "locked"), end.said);
    }
    CHECK(exists(f.path + "-wal"));
    f.fill("new", 50, 500);
    for (const std::string& key : numbered("k", 50)) CHECK(f->contains(key));
    CHECK(f->check().ok);
    CHECK(f.heard.notices().empty());
    f.close();
    CHECK_FALSE(exists(f.path + "-wal"));
    CHECK(f.shell("SELECT count(*) FROM cache_entries") == "100\n");
  }

  TEST_CASE("an exclusive file is free again after its cache was closed, beside a forked child") {
    CacheFixture f({.exclusive = true});
    CHECK(f->put("a", 1));
    Child child([&](Child::Parent& parent) -> std::string {
      parent.notify();
      parent.wait_for();
      return "";
    });
    REQUIRE(child.wait_for());
    f->flush();
    f.close();
    CHECK(f.shell("SELECT cache_key FROM cache_entries") == "a\n");
    f.reopen();
    CHECK(f->get<int>("a") == 1);
    f.close();
    child.notify();
    CHECK(child.wait_for_end().exit_code == 0);
  }

  TEST_CASE("shells may change a file while its program reads it by hand") {
    CacheFixture f;
    f.fill("k", 50, 500);
    for (int round = 0; round < 20; ++round) {
      f.fill("k", 50, 500);
      f->flush();
      read_by_hand(f.path);
      CHECK(f.shell("DELETE FROM cache_entries WHERE cache_key = 'k" + std::to_string(round) +
                    "'") == "");
      CHECK(exists(f.path + "-wal"));
      CHECK(f->put("after", round));
      f->flush();
      CHECK(f->get<int>("after") == round);
      CHECK_FALSE(f->contains("k" + std::to_string(round)));
    }
    CHECK(f->check().ok);
    CHECK(f.heard.notices().empty());
  }

  TEST_CASE("a read-only cache whose program reads the file by hand misses no later change") {
    CacheFixture f;
    Child tool([&](Child::Parent& parent) -> std::string {
      Options options;
      options.access = Access::read_only;
      options.hooks.clock = f.clock;
      parent.wait_for();
      Cache reader(f.path, options);
      const auto before = reader.get<int>("erased");
      read_by_hand(f.path);
      parent.notify();
      parent.wait_for();
      f.clock->advance(1s);
      (void)reader.run_maintenance();
      const auto after = reader.get<int>("erased");
      const auto added = reader.get<int>("new");
      return std::to_string(before.value_or(0)) + std::to_string(after.value_or(0)) +
             std::to_string(added.value_or(0));
    });
    CHECK(f->put("erased", 1));
    f->flush();
    tool.notify();
    REQUIRE(tool.wait_for());
    f.close();
    CHECK(exists(f.path + "-wal"));  // the reader uses it
    f->erase("erased");
    CHECK(f->put("new", 2));
    f->flush();
    tool.notify();
    CHECK(tool.wait_for_end().said == "102");
  }

  TEST_CASE("a read-only cache of a file without a log does not prevent that one is deleted") {
    CacheFixture f({.exclusive = true});
    CHECK(f->put("a", 1));
    f.close();
    Child tool([&](Child::Parent& parent) -> std::string {
      Options options;
      options.access = Access::read_only;
      options.hooks.clock = f.clock;
      Cache reader(f.path, options);
      const auto found = reader.get<int>("a");
      read_by_hand(f.path);
      parent.notify();
      parent.wait_for();
      return std::to_string(found.value_or(0));
    });
    REQUIRE(tool.wait_for());
    CHECK(f->get<int>("a") == 1);
    f.close();
    CHECK_FALSE(exists(f.path + "-wal"));
    tool.notify();
    CHECK(tool.wait_for_end().said == "1");
  }

  TEST_CASE("closing a cache keeps the locks of another cache of this process") {
    CacheFixture f;
    CHECK(f->put("a", 1));
    f->flush();
    Options reading = f.options;
    reading.access = Access::read_only;
    Cache reader(f.path, reading);
    CHECK(reader.get<int>("a") == 1);
    f.close();
    REQUIRE(exists(f.path + "-wal"));
    // Without the reader's lock this shell would delete the log.
    CHECK(f.shell("SELECT cache_key FROM cache_entries") == "a\n");
    CHECK(exists(f.path + "-wal"));
    CHECK(reader.get<int>("a") == 1);
    CHECK(f->put("b", 1));
    f->flush();
    reader.close();
    f.close();
    CHECK_FALSE(exists(f.path + "-wal"));
  }
}
