// Administration: check, compact, backup and reopening.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

int mode_of_file(const std::string& path) {
  struct stat found = {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found.st_mode & 0777;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("check finds no problem in a healthy file that has pending writes") {
    CacheFixture f;
    f.fill("k", 500);
    const CheckReport report = f->check();
    CHECK(report.ok);
    CHECK(report.problems.empty());
    CHECK(report.entries_off_by == 0);
    CHECK(report.bytes_off_by == 0);
    CHECK(f.rows_in_file() == 500);
  }

  TEST_CASE("check corrects totals that another program has changed") {
    CacheFixture f;
    f.fill("k", 20);
    f->flush();
    const std::int64_t bytes = f->stats().bytes;
    CHECK(f.shell("UPDATE cache_totals SET entries = entries + 7, bytes = bytes - 100") == "");
    const CheckReport report = f->check();
    CHECK_FALSE(report.ok);
    CHECK(report.problems.empty());
    CHECK(report.entries_off_by == -7);
    CHECK(report.bytes_off_by == 100);
    CHECK(f->stats().entries == 20);
    CHECK(f->stats().bytes == bytes);
    CHECK(f->check().ok);
  }

  TEST_CASE("check names entries that do not match their checksums and the cache removes them") {
    CacheFixture f({.memory_bytes = 0});
    f.fill("k", 1500);
    f->flush();
    f.raw().run("UPDATE cache_entries SET checksum = 1 WHERE cache_key IN ('k7', 'k1499')");
    f.close_raw();
    for (const bool read_only : {true, false}) {
      INFO("read_only " << read_only);
      Options options = f.options;
      options.access = read_only ? Access::read_only : Access::read_write;
      if (!read_only) f.close();
      Cache cache(f.path, options);
      const CheckReport report = cache.check();
      CHECK_FALSE(report.ok);
      CHECK(report.problems.empty());
      CHECK(report.damaged_entries == std::vector<std::string>{"k1499", "k7"});
      if (read_only) continue;
      while (cache.run_maintenance(1s)) {
      }
      CHECK(cache.check().ok);
      CHECK(cache.stats().entries == 1498);
      CHECK(f.heard.count(NoticeKind::entry_damaged) == 1);
    }
  }

  TEST_CASE("a file of another version or with foreign content is quarantined") {
    for (const std::string what : {"PRAGMA user_version=999", "PRAGMA user_version=0",
                                   "DROP TABLE cache_totals", "overwritten"}) {
      INFO(what);
      CacheFixture f;
      CHECK(f->put("old", 1));
      f.close();
      if (what == "overwritten") {
        write_file(f.path, "this was a cache file once\n");
      } else {
        CHECK(f.shell(what) == "");
      }
      CHECK_FALSE(f->get<int>("old").has_value());
      CHECK(f->put("new", 2));
      f->flush();
      CHECK(f.heard.count(NoticeKind::quarantined) == 1);
      CHECK(has(f.heard.last(NoticeKind::quarantined).what, f.path + ".corrupt-"));
      int aside = 0;
      for (const auto& entry : fs::directory_iterator(f.dir.path())) {
        aside += has(entry.path().string(), ".corrupt-") ? 1 : 0;
      }
      CHECK(aside >= 1);
    }
  }

  TEST_CASE("compact after clear makes the file small") {
    CacheFixture f;
    f.fill("k", 3'000, 2'000);
    f->flush();
    CHECK(f->stats().file_bytes + f->stats().wal_bytes > 6'000'000);
    (void)f->clear();
    f->compact();
    CHECK(f->stats().file_bytes < 150'000);
    CHECK(f->stats().wal_bytes <= 1'100'000);
    CHECK(f.raw().integer("PRAGMA freelist_count") == 0);
  }

  TEST_CASE("compact keeps the remaining entries") {
    CacheFixture f;
    f.fill("gone ", 1'000, 3'000);
    f.fill("kept ", 50, 3'000);
    f->flush();
    CHECK(f->erase_prefix("gone ") == 1'000);
    f->compact();
    CHECK(f->stats().file_bytes < 600'000);
    CHECK(f->stats().entries == 50);
    CHECK(f->get<std::string>("kept 49")->size() == 3'000);
    CHECK(f->put("more", 1));
    f->compact();
    CHECK(f.in_file("more"));
  }

  TEST_CASE("maintenance makes the file smaller after many deletions") {
    CacheFixture f;
    f.fill("k", 3'000, 2'000);
    f->flush();
    CHECK(f->erase_prefix("k") == 3'000);
    (void)f.run_to_the_end();
    CHECK(f->stats().file_bytes < 2'000'000);
  }

  TEST_CASE("a name that SQLite takes for a database in memory or a URI is refused") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    for (const char* const name : {":memory:", "file::memory:", "file:x?mode=ro"}) {
      CAPTURE(name);
      CHECK(code_thrown_by([&] { f->backup(name); }) == "invalid_options");
      CHECK(code_thrown_by([&] { const Cache cache(name, f.options); }) == "invalid_options");
      CHECK_FALSE(exists(name));
      const std::string path = f.dir.path(name);
      f->backup(path);
      CHECK(Cache(path, f.options).get<int>("k") == 1);
    }
  }

  TEST_CASE("a backup works in a folder behind a symbolic link") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    fs::create_directory(f.dir.path("real"));
    fs::create_directory_symlink("real", f.dir.path("alias"));
    f->backup(f.dir.path("alias/copy.db"));
    CHECK(Cache(f.dir.path("real/copy.db"), f.options).get<int>("k") == 1);
  }

  TEST_CASE("a backup whose path is too long for SQLite is refused and creates nothing") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    std::string target = f.dir.path();
    for (int i = 0; i < 6; ++i) target += "/" + std::string(100, 'd');
    fs::create_directories(target);
    const auto error = thrown_by([&] { f->backup(target + "/copy.db"); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::store_failed);
    CHECK_MESSAGE(has(error->what(), "too long"), error->what());
    CHECK(fs::is_empty(target));
  }

  TEST_CASE("a backup contains all entries, is private and overwrites no file") {
    CacheFixture f;
    f.fill("k", 300, 100);
    CHECK(f->put("pending", 1));
    const std::string target = f.dir.path("copy.db");
    f->backup(target);
    CHECK(mode_of_file(target) == 0600);
    {
      Cache copy(target, f.options);
      CHECK(copy.stats().entries == 301);
      CHECK(copy.get<int>("pending") == 1);
      CHECK(copy.check().ok);
    }
    const auto again = thrown_by([&] { f->backup(target); });
    REQUIRE(again);
    CHECK(again->code() == ErrorCode::store_failed);
    CHECK(has(again->what(), target));
    write_file(f.dir.path("notes"), "mine");
    CHECK(code_thrown_by([&] { f->backup(f.dir.path("notes")); }) == "store_failed");
    CHECK(read_file(f.dir.path("notes")) == "mine");
    CHECK(code_thrown_by([&] { f->backup(f.dir.path("no/such/folder")); }) == "store_failed");
    CHECK(code_thrown_by([&] { f->backup(f.dir.path()); }) == "store_failed");
    CHECK(code_thrown_by([&] { f->backup(f.path); }) == "store_failed");
    CHECK(f->get<std::string>("k1").has_value());
    CHECK(f->put("after", 1));
    f->flush();
    CHECK(f.shell("SELECT count(*) FROM cache_entries") == "302\n");
  }

  TEST_CASE("a copy of a closed file opens as a cache") {
    CacheFixture f;
    f.fill("k", 100);
    f.close();
    fs::copy_file(f.path, f.dir.path("copy.db"));
    fs::permissions(f.dir.path("copy.db"), fs::perms(0600));
    Cache copy(f.dir.path("copy.db"), f.options);
    CHECK(copy.stats().entries == 100);
    CHECK(copy.get<std::string>("k99").has_value());
    CHECK(f->get<std::string>("k99").has_value());  // both caches are open
  }

  TEST_CASE("an old copy restored over the closed file has the old entries") {
    for (const bool beside_log : {false, true}) {
      INFO("beside a log: " << beside_log);
      CacheFixture f;
      f.fill("k", 100);
      CHECK(f->put("changed", "old"));
      f->flush();
      const std::string log = read_file(f.path + "-wal");
      f.close();
      const std::string copy = read_file(f.path);
      CHECK(f->put("changed", "new"));
      f.fill("more ", 200);
      f.close();
      REQUIRE(exists(f.path + "-lock"));
      write_file(f.path, copy);
      // The log is as old as the copy. The file contains all its transactions already.
      if (beside_log) write_file(f.path + "-wal", log);
      if (beside_log) fs::permissions(f.path + "-wal", fs::perms(0600));
      CHECK(f->get<std::string>("changed") == "old");
      CHECK(f.keys("more ").empty());
      CHECK(f->stats().entries == 101);
      CHECK(f->check().ok);
      CHECK(f.heard.notices().empty());
      CHECK(f->put("changed", "newer"));
      f.reopen();
      CHECK(f->get<std::string>("changed") == "newer");
      CHECK(f.heard.count(NoticeKind::quarantined) == 0);
    }
  }

  TEST_CASE("reopening finds all entries with all their columns") {
    CacheFixture f;
    CHECK(f->put("text", "dark", {.ttl = 1h}));
    CHECK(f->put("number", 42));
    f->flush();
    CHECK(f->get<int>("number") == 42);
    f->flush();
    const auto text = *f->entry("text");
    const auto number = *f->entry("number");
    f.reopen();
    CHECK(f->get<std::string>("text") == "dark");
    CHECK(f->get<int>("number") == 42);
    CHECK(f->entry("text")->expires_at == text.expires_at);
    CHECK(f->entry("text")->inserted_at == text.inserted_at);
    CHECK(f->entry("number")->access_count == 1);
    CHECK(f->entry("number")->accessed_at == number.accessed_at);
    CHECK(f->entry("number")->computed_at == number.computed_at);
    CHECK(f->put("new", 1));
    f->flush();
    CHECK(f->entry("new")->inserted_at > number.accessed_at);
  }

  TEST_CASE("a file opens with other settings than those it was made with") {
    CacheFixture f;
    f.fill("k", 100);
    for (const Durability durability :
         {Durability::power, Durability::commit, Durability::relaxed}) {
      f.options.durability = durability;
      f.options.erase_securely = !f.options.erase_securely;
      f.options.reader_cache_bytes = 64 * KiB;
      f.options.writer_cache_bytes = 64 * KiB;
      f.options.queue_bytes = 64 * KiB;
      f.reopen();
      CHECK(f->stats().entries == 100);
      CHECK(f->put("k0", to_string(durability)));
      f.check_file();
      CHECK(f->get<std::string>("k0") == to_string(durability));
    }
  }

  TEST_CASE("a file opens with a larger, a smaller and no memory tier") {
    CacheFixture f;
    f.fill("k", 100);
    for (const std::int64_t memory : {std::int64_t{0}, 64 * KiB, 32 * MiB, std::int64_t{0}}) {
      INFO(memory);
      f.options.memory_bytes = memory;
      f.reopen();
      CHECK(f->stats().memory_entries == 0);
      for (int round = 0; round < 2; ++round) {
        for (const auto& value : f->get_many<std::string>(numbered("k", 100))) CHECK(value);
      }
      CHECK(f->stats().hits == 200);
      CHECK((f->stats().memory_hits > 0) == (memory > 0));
      CHECK(f->stats().memory_bytes <= memory);
      CHECK(f->put("k7", std::to_string(memory)));
      CHECK(f->get<std::string>("k7") == std::to_string(memory));
    }
  }

  TEST_CASE("reopening uses the limits of the options, not those of set_limits") {
    CacheFixture f({.limits = {.max_entries = 100}, .eviction = Eviction::fifo});
    f.fill("k", 100);
    f->set_limits({.max_entries = 10});
    f->flush();
    CHECK(f->stats().entries == 10);
    f.reopen();
    CHECK(f->limits().max_entries == Limit(100));
    CHECK(f->stats().entries == 10);
    f.fill("l", 90);
    f->flush();
    CHECK(f->stats().entries == 100);
    CHECK(f->stats().evicted == 0);
    f->set_limits({.max_entries = unlimited});
    f.fill("m", 100);
    f->flush();
    CHECK(f->stats().entries == 200);
    f.reopen();
    f->flush();
    CHECK(f->stats().entries == 100);
  }

  TEST_CASE("only the owner may read the files") {
    CacheFixture f;
    f.fill("k", 10);
    f->flush();
    for (const std::string suffix : {"", "-wal", "-shm", "-lock"}) {
      CHECK(mode_of_file(f.path + suffix) == 0600);
    }
  }

  TEST_CASE("erase_securely removes the bytes of an erased value from the file") {
    CacheFixture f({.erase_securely = true});
    const std::string secret = "a secret text";
    CHECK(f->put("k", secret + std::string(5'000, '.') + secret));
    CHECK(f->put("l", "stays"));
    f->flush();
    f->compact();
    CHECK(has(read_file(f.path), secret));
    CHECK(f->erase("k"));
    f->compact();
    CHECK_FALSE(has(read_file(f.path), secret));
    CHECK(has(read_file(f.path), "stays"));
    f.close();
    CHECK_FALSE(fs::exists(f.path + "-wal"));
    CHECK_FALSE(has(read_file(f.path), secret));
  }
}
