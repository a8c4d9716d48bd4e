// Other programs that change, delete, truncate or replace the file while threads use the cache.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/checking_threads.hpp"
#include "support/child.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;

namespace {

constexpr const char* kPutNew =
    "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 99)"
    " INSERT INTO cache_entries"
    " (cache_key, byte_size, inserted_at, computed_at, accessed_at, value)"
    " SELECT 'new' || i, 200, 5, 5, 5, 'foreign new' || i FROM n";

/// The output of a sqlite3 shell that waits for the write lock.
std::string patient_shell(const CacheFixture& f, const std::string& sql) {
  const ChildEnd end = run_program({"sqlite3", "-cmd", ".timeout 60000", f.path, sql});
  CHECK_MESSAGE(end.exit_code == 0, sql << ": " << end.said);
  return end.said;
}

std::vector<std::string> with_prefix(const std::vector<std::string>& keys,
                                     const std::string& prefix) {
  std::vector<std::string> some;
  for (const std::string& key : keys) {
    if (key.starts_with(prefix)) some.push_back(key);
  }
  return some;
}

bool are_gone(CacheFixture& f, const std::vector<std::string>& keys) {
  const auto found = f->get_many<std::string>(keys);
  return std::none_of(found.begin(), found.end(), [](const auto& each) { return each; });
}

bool are_foreign(CacheFixture& f, const std::vector<std::string>& keys) {
  return std::all_of(keys.begin(), keys.end(), [&f](const std::string& key) {
    return f->get<std::string>(key) == CheckingThreads::foreign_value(key);
  });
}

bool finds_damage(CacheFixture& f) {
  try {
    return !f->check().ok;
  } catch (const Error&) {  // the file is being opened again
    return false;
  }
}

/// A cache with a worker thread. Its file contains the shared keys, and its log is empty.
struct Shared {
  explicit Shared(std::int64_t memory_bytes = MiB) : f({.memory_bytes = memory_bytes}) {
    f.use_thread();
    CheckingThreads::store_shared(f.cache());
    f->compact();
  }
  void expect_order() {
    CHECK(becomes_true([&] { return f->health().state == HealthState::ok; }));
    f->flush();
    const CheckReport report = f->check();
    CHECK(report.ok);
    for (const std::string& problem : report.problems) MESSAGE(problem);
  }
  CacheFixture f;
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("threads see exactly the changes that sqlite3 shells make meanwhile") {
    Shared shared;
    CacheFixture& f = shared.f;
    const auto deleted = with_prefix(CheckingThreads::shared_keys(), "k1");
    const auto changed = with_prefix(CheckingThreads::shared_keys(), "k2");
    const auto added = numbered("new", 100);
    CheckingThreads threads(f.cache(), {.is_disturbed = true});
    const auto run = [&](const std::string& sql, const std::string& said = "") {
      CHECK(threads.go_on(5));
      CHECK(patient_shell(f, sql) == said);
    };
    run("VACUUM");
    run("DELETE FROM cache_entries WHERE cache_key LIKE 'k1%'");
    CHECK(becomes_true([&] { return are_gone(f, deleted); }));
    run("REINDEX");
    run("UPDATE cache_entries SET value = 'foreign ' || cache_key WHERE cache_key LIKE 'k2%'");
    CHECK(becomes_true([&] { return are_foreign(f, changed); }));
    run("ANALYZE");
    run("UPDATE cache_entries SET value = 'foreign ' || cache_key WHERE cache_key LIKE 't%'");
    run(kPutNew);
    CHECK(becomes_true([&] { return are_foreign(f, added); }));
    run("DELETE FROM cache_entries WHERE cache_key LIKE 't%'");
    run("PRAGMA integrity_check", "ok\n");
    run("VACUUM");
    CHECK(threads.go_on(5));
    threads.stop();
    CHECK(threads.wrong() == "");
    CHECK(threads.hits() > 100);
    CHECK(are_gone(f, deleted));
    CHECK(are_foreign(f, changed));
    CHECK(are_foreign(f, added));
    CHECK(f->stats().undecodable == 0);
    CHECK(f->stats().unread == 0);
    CHECK(f.heard.count(NoticeKind::quarantined) == 0);
    shared.expect_order();
  }

  TEST_CASE("a file deleted under four threads is created again and no value is wrong") {
    Shared shared;
    CacheFixture& f = shared.f;
    CheckingThreads threads(f.cache(), {.is_disturbed = true});
    CHECK(threads.go_on(20));
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(f.path + suffix);
    CHECK(becomes_true([&] { return f.heard.count(NoticeKind::file_lost) > 0; }));
    CHECK(becomes_true([&] { return f->health().state == HealthState::ok; }));
    CHECK(are_gone(f, CheckingThreads::shared_keys()));
    CHECK(threads.go_on(20));
    threads.stop();
    CHECK(threads.wrong() == "");
    shared.expect_order();
    CHECK(f.rows_in_file() > 0);
  }

  TEST_CASE("a file truncated under four threads is quarantined and no value is wrong") {
    // Each size is a multiple of the page size: SQLite reads a partial page as zeros.
    for (const std::string size : {"0", "4096", "40960"}) {
      INFO(size);
      Shared shared(0);  // every read reads the file
      CacheFixture& f = shared.f;
      REQUIRE(f->stats().file_bytes > 2 * 40'960);
      CheckingThreads threads(f.cache(), {.is_disturbed = true});
      CHECK(threads.go_on(20));
      REQUIRE(run_program({"truncate", "-s", size, f.path}).exit_code == 0);
      // Pages that are in the log are not read from the file. Then only a new connection meets the
      // damage: that of `check`, and those of the next opening.
      const auto is_quarantined = [&] { return f.heard.count(NoticeKind::quarantined) > 0; };
      CHECK(becomes_true([&] { return is_quarantined() || finds_damage(f); }));
      CHECK(becomes_true([&] { return f->health().state == HealthState::ok; }));
      CHECK(threads.go_on(20));
      threads.stop();
      CHECK(threads.wrong() == "");
      if (!is_quarantined()) f.reopen();
      CHECK(f->put("k", 1));
      CHECK(is_quarantined());
      shared.expect_order();
      CHECK(f.rows_in_file() > 0);
    }
  }

  TEST_CASE("a foreign database that replaces the file under four threads is not changed") {
    Shared shared;
    CacheFixture& f = shared.f;
    f.expect_no_order();
    const std::string theirs = f.dir.path("theirs");
    REQUIRE(run_program({"sqlite3", theirs, "CREATE TABLE notes (text)"}).exit_code == 0);
    const std::string before = read_file(theirs);
    CheckingThreads threads(f.cache(), {.is_disturbed = true});
    CHECK(threads.go_on(20));
    fs::rename(theirs, f.path);
    CHECK(becomes_true([&] { return f->health().state == HealthState::unavailable; }));
    CHECK(threads.go_on(20));
    threads.stop();
    CHECK(threads.wrong() == "");
    CHECK(threads.refused() > 0);
    CHECK_FALSE(f->put("k", 1));
    CHECK(f.heard.count(NoticeKind::quarantined) == 0);
    f->close();
    CHECK(read_file(f.path) == before);
  }
}
