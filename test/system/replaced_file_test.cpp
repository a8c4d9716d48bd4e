// A file that was replaced while the write-ahead log of the file before it stayed.

#include <doctest/doctest.h>
#include <signal.h>

#include <ashmemo/cache.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/data_folder.hpp"
#include "support/opening.hpp"
#include "support/rendezvous.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;

namespace {

constexpr int kEntries = 300;

Options manual() {
  Options options;
  options.hooks.worker = WorkerMode::manual;
  options.memory_bytes = 0;
  return options;
}

std::string key_of(int i) { return "k" + std::to_string(i); }
std::string value_of(int i, const std::string& mark) {
  return mark + ' ' + std::to_string(i) + std::string(300, '.');
}

void fill(Cache& cache, const std::string& mark) {
  for (int i = 0; i < kEntries; ++i) cache.put(key_of(i), value_of(i, mark));
  cache.flush();
}

void make_closed(const std::string& path, const std::string& mark) {
  Cache cache(path, manual());
  fill(cache, mark);
}

/// A process works with the cache and is killed; a log remains.
void work_and_be_killed(const std::string& path, const std::function<void(Cache&)>& work) {
  const ChildEnd end = in_child([&]() -> std::string {
    Cache cache(path, manual());
    work(cache);
    ::raise(SIGKILL);
    return "not killed";
  });
  REQUIRE_MESSAGE(end.exit_code == kKilled, end.said);
  REQUIRE(fs::file_size(path + "-wal") > 0);
}

/// Leaves a log with the difference between two states, so with pages of all kinds.
void leave_log(const std::string& path) {
  work_and_be_killed(path, [](Cache& cache) {
    fill(cache, "before");
    cache.compact();
    for (int i = 0; i < kEntries; i += 2) cache.erase(key_of(i));
    for (int i = 0; i < kEntries; ++i) cache.put("longer " + key_of(i), value_of(i, "log"));
    cache.flush();
  });
}

/// "all MARK", "none", or the fault. A value of another key is a fault.
std::string answers(Cache& cache) {
  std::string mark;
  int found = 0;
  for (int i = 0; i < kEntries; ++i) {
    const auto value = cache.get<std::string>(key_of(i));
    if (!value) continue;
    ++found;
    if (mark.empty()) mark = value->substr(0, value->find(' '));
    if (*value != value_of(i, mark)) return key_of(i) + " answers " + value->substr(0, 20);
  }
  if (found == 0) return "none";
  if (found != kEntries) return std::to_string(found) + " of " + mark;
  return cache.check().ok ? "all " + mark : "check is not ok";
}

std::string answers_at(const std::string& path) {
  Cache cache(path, manual());
  std::string before = answers(cache);
  CHECK_FALSE(cache.contains("longer k1"));
  CHECK(cache.put("new", 1));
  cache.close();
  CHECK(shell(path, "PRAGMA integrity_check") == "ok\n");
  CHECK(has_key(path, "new"));
  return before;
}

void overwrite(const std::string& from, const std::string& to) {
  const ChildEnd end = run_program({"cp", from, to});
  REQUIRE_MESSAGE(end.exit_code == 0, end.said);
}

struct Replacement {
  std::string name;
  std::function<void(const std::string& from, const std::string& to)> replace;
};

const std::vector<Replacement> kReplacements{
    {"renamed over it",
     [](const std::string& from, const std::string& to) { fs::rename(from, to); }},
    {"copied into it", overwrite}};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a file that replaces another one is served whole, without the old log") {
    for (const Replacement& how : kReplacements) {
      INFO(how.name);
      const TempDir dir;
      const std::string path = dir.path("x");
      make_closed(dir.path("other"), "other");
      leave_log(path);
      how.replace(dir.path("other"), path);
      SUBCASE("all of it") {}
      SUBCASE("the lock file is missing") { fs::remove(path + "-lock"); }
      SUBCASE("the index of the log is missing") { fs::remove(path + "-shm"); }
      CHECK(answers_at(path) == "all other");
    }
  }

  TEST_CASE("a restored backup is served whole, without the log") {
    for (const Replacement& how : kReplacements) {
      INFO(how.name);
      const TempDir dir;
      const std::string path = dir.path("x");
      work_and_be_killed(path, [&](Cache& cache) {
        fill(cache, "early");
        cache.backup(dir.path("backup"));
        fill(cache, "late");
      });
      how.replace(dir.path("backup"), path);
      CHECK(answers_at(path) == "all early");
    }
  }

  TEST_CASE("a copy from before the last session is served whole, without the log") {
    for (const Replacement& how : kReplacements) {
      INFO(how.name);
      const TempDir dir;
      const std::string path = dir.path("x");
      make_closed(path, "early");
      fs::copy_file(path, dir.path("copy"));
      leave_log(path);
      how.replace(dir.path("copy"), path);
      CHECK(answers_at(path) == "all early");
    }
  }

  TEST_CASE("a copy from before the start of the log gets the state of the log") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_closed(path, "early");
    fs::copy_file(path, dir.path("copy"));
    work_and_be_killed(path, [](Cache& cache) { fill(cache, "late"); });
    fs::rename(dir.path("copy"), path);
    CHECK(answers_at(path) == "all late");
  }

  TEST_CASE("a file of format 1 may replace a file and be replaced") {
    const std::string golden = std::string(kDataFolder) + "/format-1.cache.db";
    const TempDir dir;
    const std::string path = dir.path("x");
    const auto put_golden = [&](const std::string& to) {
      fs::copy_file(golden, to, fs::copy_options::overwrite_existing);
      fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write);
    };
    SUBCASE("replaces") {
      leave_log(path);
      put_golden(path);
      Cache cache(path, manual());
      CHECK(cache.get<int>("integer") == 42);
      CHECK(cache.check().ok);
    }
    SUBCASE("is replaced") {
      put_golden(path);
      work_and_be_killed(path, [](Cache& cache) { fill(cache, "log"); });
      make_closed(dir.path("other"), "other");
      fs::rename(dir.path("other"), path);
      CHECK(answers_at(path) == "all other");
    }
    SUBCASE("is replaced by another one") {
      put_golden(path);
      work_and_be_killed(path, [](Cache& cache) { fill(cache, "log"); });
      put_golden(path);
      Cache cache(path, manual());
      CHECK(cache.get<int>("integer") == 42);
      CHECK(answers(cache) == "none");
    }
    SUBCASE("stays: nothing of the log is lost") {
      put_golden(path);
      work_and_be_killed(path, [](Cache& cache) { fill(cache, "log"); });
      CHECK(answers_at(path) == "all log");
    }
  }

  TEST_CASE("a log that belongs to its file is kept, also in another place") {
    const TempDir dir;
    const std::string path = dir.path("x");
    work_and_be_killed(path, [](Cache& cache) {
      fill(cache, "early");
      cache.compact();
      fill(cache, "late");
    });
    SUBCASE("where they were") { CHECK(answers_at(path) == "all late"); }
    SUBCASE("without the lock file") {
      fs::remove(path + "-lock");
      CHECK(answers_at(path) == "all late");
    }
    SUBCASE("copied to another folder") {
      fs::create_directory(dir.path("folder"));
      for (const char* const suffix : {"", "-wal"}) {
        fs::copy_file(path + suffix, dir.path("folder/y") + suffix);
      }
      CHECK(answers_at(dir.path("folder/y")) == "all late");
    }
    SUBCASE("beside the lock file of another one") {
      make_closed(dir.path("other"), "other");
      fs::rename(dir.path("other-lock"), path + "-lock");
      CHECK(answers_at(path) == "all late");
    }
  }

  TEST_CASE("a log that a shell has written is kept") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_closed(path, "early");
    {
      Program program({"sqlite3", path});
      program.send("UPDATE cache_entries SET value = 'theirs' WHERE cache_key = 'k7';");
      program.send("SELECT 'done';");
      CHECK(program.read_line() == "done");
    }  // killed
    REQUIRE(fs::file_size(path + "-wal") > 0);
    const auto options = [] {
      auto reading = manual();
      reading.access = Access::read_only;
      return reading;
    };
    CHECK(Cache(path, options()).get<std::string>("k7") == "theirs");
    CHECK(Cache(path, manual()).get<std::string>("k7") == "theirs");
  }

  TEST_CASE("a reader refuses the log of another file until a writer has dropped it") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_closed(dir.path("other"), "other");
    leave_log(path);
    fs::rename(dir.path("other"), path);
    const auto before = facts_of(dir.path());
    auto options = manual();
    options.access = Access::read_only;
    {
      Cache reader(path, options);
      CHECK(reader.health().state == HealthState::unavailable);
      CHECK_MESSAGE(has(reader.health().last_error, path + "-wal"), reader.health().last_error);
      CHECK_MESSAGE(has(reader.health().last_error, "open it for writing once"),
                    reader.health().last_error);
      CHECK(answers(reader) == "none");
    }
    CHECK(facts_of(dir.path()) == before);
    { const Cache writer(path, manual()); }
    Cache reader(path, options);
    CHECK(answers(reader) == "all other");
  }

  TEST_CASE("a file that replaces another one while that is opened keeps its log and is used") {
    for (const bool exclusive : {false, true}) {
      CAPTURE(exclusive);
      const TempDir dir;
      const std::string path = dir.path("x");
      const std::string next = dir.path("next");
      make_closed(path, "old");
      work_and_be_killed(next, [](Cache& cache) { fill(cache, "next"); });
      const AtTestPoints replace([&](std::string_view point) {
        if (point != "open: has connections" || !exists(next)) return;
        fs::rename(next, path);
        fs::rename(next + "-wal", path + "-wal");
      });
      auto options = manual();
      options.durability = Durability::power;
      options.exclusive = exclusive;
      options.when_unavailable = WhenUnavailable::throw_error;
      Cache cache(path, options);
      CHECK_FALSE(exists(next));
      CHECK(cache.put("new", 1));
      CHECK((exclusive || has_key(path, "new")));
      CHECK(answers(cache) == "all next");
      CHECK(cache.health().state == HealthState::ok);
      cache.close();
      CHECK(has_key(path, "new"));
    }
  }

  TEST_CASE("a file is served whole while another program reads the replaced file") {
    for (const Replacement& how : kReplacements) {
      INFO(how.name);
      const TempDir dir;
      const std::string path = dir.path("x");
      make_closed(dir.path("other"), "other");
      leave_log(path);
      Program program({"sqlite3", path});
      program.send("BEGIN; SELECT count(*) FROM cache_entries;");
      CHECK(program.read_line() == std::to_string(kEntries / 2 + kEntries));
      how.replace(dir.path("other"), path);
      SUBCASE("until the end") {
        CHECK(answers_at(path) == "all other");
        CHECK(answers_at(path) == "all other");
        (void)program.finish();
      }
      SUBCASE("until the file was opened") {
        Cache cache(path, manual());
        CHECK(answers(cache) == "all other");
        (void)program.finish();
        CHECK(cache.put("late", 1));
        cache.flush();
        CHECK(answers(cache) == "all other");
        CHECK(cache.contains("late"));
      }
      CHECK(answers_at(path) == "all other");
    }
  }
}
