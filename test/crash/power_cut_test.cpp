// Simulated power cuts. A cut loses any of the sectors that were written and not yet synced, and
// any of the new names in a folder that was not yet synced.

#include <doctest/doctest.h>
#include <signal.h>
#include <sqlite3.h>

#include <ashmemo/cache.hpp>
#include <filesystem>
#include <set>
#include <string>

#include "base/platform.hpp"
#include "crash/crash_run.hpp"
#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/data_folder.hpp"
#include "support/opening.hpp"
#include "support/power_cut_vfs.hpp"
#include "support/raw_database.hpp"

using namespace ashmemo;
using namespace ashmemo::test;

namespace {

/// Starts a child with plain SQLite that inserts rows, one in each transaction, until the power is
/// cut.
void insert_until_cut(const std::string& path, const std::string& settings, int change,
                      std::uint64_t seed) {
  Child child([=](Child::Parent& parent) -> std::string {
    cut_power_at_file_change(change, seed);
    RawDatabase raw(path);
    raw.run(settings);
    for (int i = 0; i < 100; ++i) {
      raw.run(
          "BEGIN; INSERT INTO t VALUES (randomblob(1000)); UPDATE counter SET rows = rows + 1; "
          "COMMIT");
    }
    parent.notify();
    return {};
  });
  CHECK_FALSE(child.wait_for());
  CHECK(child.wait_for_end().exit_code == kKilled);
}

/// The number of power cuts, out of `cuts`, that damage a file of plain SQLite with these settings.
int damaged_by_cuts(const std::string& settings, int cuts) {
  int damaged = 0;
  for (int cut = 0; cut < cuts; ++cut) {
    const TempDir dir;
    const std::string path = dir.path("plain.db");
    write_file(path, "");
    RawDatabase(path).run(
        "CREATE TABLE t (x); CREATE TABLE counter (rows); INSERT INTO counter VALUES (0)");
    insert_until_cut(path, settings, 40 + cut, static_cast<std::uint64_t>(cut));
    RawDatabase raw(path);
    if (raw.rows("PRAGMA integrity_check") != "ok" ||
        raw.rows("SELECT count(*) FROM t") != raw.rows("SELECT rows FROM counter")) {
      ++damaged;
    }
  }
  return damaged;
}

/// The files in a folder after a power cut. Before it, a process creates "new", renames "old" to
/// "renamed" and removes "gone". Then it may sync the folder.
std::string names_after_cut(bool is_synced, std::uint64_t seed) {
  const TempDir dir;
  write_file(dir.path("old"), "content");
  write_file(dir.path("gone"), "");
  {
    Child child([&](Child::Parent&) -> std::string {
      const int changes = is_synced ? 5 : 4;  // creating also sets the mode
      cut_power_at_file_change(changes + 1, seed);
      (void)base::create_private_file(dir.path("new"));
      (void)base::rename_file(dir.path("old"), dir.path("renamed"));
      (void)base::remove_file(dir.path("gone"));
      if (is_synced) base::sync_folder_of(dir.path("new"));
      (void)base::remove_file(dir.path("never reached"));
      return {};
    });
    CHECK(child.wait_for_end().exit_code == kKilled);
  }
  std::set<std::string> names;
  for (const auto& each : std::filesystem::directory_iterator(dir.path())) {
    names.insert(each.path().filename().string());
  }
  CHECK(names.contains("old") != names.contains("renamed"));
  CHECK(read_file(dir.path(names.contains("old") ? "old" : "renamed")) == "content");
  std::string all;
  for (const std::string& name : names) all += name + ' ';
  return all;
}

/// Puts entries until the power is cut. Returns the number of accepted puts that were lost.
int lost_by_a_cut(Durability durability, std::uint64_t seed) {
  CacheFixture f({.durability = durability});
  f->flush();
  f.close();
  Journal journal;
  {
    Child child([&](Child::Parent& parent) -> std::string {
      cut_power_at_file_change(60, seed);
      Cache cache(f.path, f.options);
      for (std::uint32_t key = 0; key < kKeys; ++key) {
        if (cache.put(key_name(key), text_of(key, 1))) journal.add(Step::put_accepted, key);
      }
      parent.notify();
      return {};
    });
    CHECK_FALSE(child.wait_for());
  }
  int lost = 0;
  for (const Record& record : journal.records()) lost += f->contains(key_name(record.key)) ? 0 : 1;
  CHECK(journal.records().size() > 2);
  return lost;
}

}  // namespace

TEST_SUITE("crash") {
  TEST_CASE("a simulated power cut damages plain SQLite only without syncs") {
    const std::string wal = "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=4;";
    CHECK(damaged_by_cuts("PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF", 20) > 3);
    CHECK(damaged_by_cuts(wal + "PRAGMA synchronous=OFF", 20) > 3);
    CHECK(damaged_by_cuts(wal + "PRAGMA synchronous=NORMAL", 20) == 0);
    CHECK(damaged_by_cuts(wal + "PRAGMA synchronous=FULL", 20) == 0);
    CHECK(damaged_by_cuts("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL", 20) == 0);
  }

  TEST_CASE("a simulated power cut takes back names only in a folder that was not synced") {
    std::set<std::string> without_sync;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      without_sync.insert(names_after_cut(false, seed));
      CHECK(names_after_cut(true, seed) == "new renamed ");
    }
    CHECK(without_sync.contains("gone old "));  // all changes are taken back
    CHECK(without_sync.contains("new renamed "));
    CHECK(without_sync.contains("gone new renamed "));
    CHECK(without_sync.contains("old "));
  }

  TEST_CASE("a power cut loses accepted puts with commit and none with power durability") {
    int lost_of_commit = 0;
    int lost_of_power = 0;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      lost_of_commit += lost_by_a_cut(Durability::commit, seed);
      lost_of_power += lost_by_a_cut(Durability::power, seed);
    }
    CHECK(lost_of_commit > 0);
    CHECK(lost_of_power == 0);
  }

  TEST_CASE("no file is quarantined after a power cut during its creation") {
    for (int change = 1; change <= 40; ++change) {
      for (std::uint64_t seed = 0; seed < 8; ++seed) {
        INFO("change " << change << ", seed " << seed);
        CacheFixture f;
        {
          Child child([&](Child::Parent& parent) -> std::string {
            cut_power_at_file_change(change, seed);
            const Cache cache(f.path, f.options);
            parent.notify();
            return {};
          });
          (void)child.wait_for();
        }
        CHECK(f->put("k", 1));
        f->flush();
        CHECK(f.heard.notices().empty());
      }
    }
  }

  TEST_CASE("an erased entry does not return after a power cut during a quarantine") {
    for (int change = 1; change <= 30; ++change) {
      for (std::uint64_t seed = 0; seed < 8; ++seed) {
        INFO("change " << change << ", seed " << seed);
        const TempDir dir;
        const std::string path = dir.path("x");
        make_cache_with_an_erase_in_the_log(path);
        (void)in_child([&]() -> std::string {
          cut_power_at_file_change(change, seed);
          return outcome(open_found_corrupt(path));
        });
        const auto opening = open_at(path);
        REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
        CHECK((*opening.store)->totals()->entries == 0);
        CHECK(put(**opening.store, "new") == "committed");
      }
    }
  }

  TEST_CASE("a power cut while a file of format 1 is upgraded leaves all results") {
    for (int change = 1; change <= 40; ++change) {
      for (std::uint64_t seed = 0; seed < 3; ++seed) {
        INFO("change " << change << ", seed " << seed);
        CacheFixture f;
        std::filesystem::copy_file(std::string(kDataFolder) + "/format-1.cache.db", f.path);
        using std::filesystem::perms;
        std::filesystem::permissions(f.path, perms::owner_read | perms::owner_write);
        {
          Child child([&](Child::Parent& parent) -> std::string {
            cut_power_at_file_change(change, seed);
            const Cache cache(f.path, f.options);
            parent.notify();
            return {};
          });
          (void)child.wait_for();
        }
        CHECK(f->stats().entries == 12);
        CHECK(f->get<std::string>("large") == std::string(10'000, 'x'));
        CHECK(f->check().ok);
        CHECK(f.heard.notices().empty());
      }
    }
  }

  TEST_CASE("a file with power durability loses no accepted write in many power cuts") {
    CrashRun run(seed_of_run());
    for (int cut = 0; cut < number_of_kills() / 4; ++cut) run.cut_power(Durability::power);
    run.report("power cut, power");
  }

  TEST_CASE("a file with relaxed or commit durability is not damaged by many power cuts") {
    CrashRun run(seed_of_run());
    for (int cut = 0; cut < number_of_kills() / 4; ++cut) {
      run.cut_power(cut % 2 == 0 ? Durability::relaxed : Durability::commit);
    }
    run.report("power cut, others");
  }
}
