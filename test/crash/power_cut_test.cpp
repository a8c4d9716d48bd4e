// Simulated power cuts. A cut loses any of the sectors that were written and not yet synced.

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <ashmemo/cache.hpp>
#include <filesystem>
#include <string>

#include "crash/crash_run.hpp"
#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/data_folder.hpp"
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
  CHECK(child.wait_for_end().exit_code == 137);
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
      for (std::uint64_t seed = 0; seed < 3; ++seed) {
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
