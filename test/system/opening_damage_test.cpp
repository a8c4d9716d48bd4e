// Opening damaged cache files.

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <algorithm>
#include <ashmemo/clock.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "base/platform.hpp"
#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/fault_vfs.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::test;

namespace {

// Opening this path quarantines the file, reports it, and makes a new file that works.
void check_quarantined(const TempDir& dir, const std::string& path, const std::string& why) {
  INFO(path);
  const std::string before = read_file(path);
  {
    const auto opening = open_at(path);
    REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
    REQUIRE(opening.quarantine.size() == 1);
    CHECK(opening.quarantine[0].file == path);
    CHECK(opening.quarantine[0].renamed_to.starts_with(path + ".corrupt-17000000000000"));
    CHECK_MESSAGE(opening.quarantine[0].why.find(why) != std::string::npos,
                  opening.quarantine[0].why);
    CHECK(read_file(opening.quarantine[0].renamed_to) == before);
    CHECK(put(**opening.store, "new") == "committed");
  }
  CHECK(has_key(path, "new"));
  CHECK_FALSE(has_key(path, "old"));
  CHECK(open_at(path).quarantine.empty());
  CHECK_FALSE(exists(dir.path("x-shm")));
}

/// Runs `change` for each connection that SQLite opens, until it is destroyed.
class AutoExtension {
 public:
  using Change = int(sqlite3*, char**, const sqlite3_api_routines*);
  explicit AutoExtension(Change* change) {
    REQUIRE(sqlite3_auto_extension(reinterpret_cast<void (*)()>(change)) == SQLITE_OK);
  }
  ~AutoExtension() { sqlite3_reset_auto_extension(); }
  AutoExtension(const AutoExtension&) = delete;
  AutoExtension& operator=(const AutoExtension&) = delete;
};

int refuse(sqlite3*, char**, const sqlite3_api_routines*) { return SQLITE_ERROR; }

// The connections that SQLite has opened, and the number of the one that it refuses.
int connections = 0;
int refused = 0;

int refuse_one(sqlite3*, char**, const sqlite3_api_routines*) {
  return ++connections == refused ? SQLITE_ERROR : SQLITE_OK;
}

int replace_typeof(sqlite3* db, char**, const sqlite3_api_routines*) {
  const auto answer = [](sqlite3_context* context, int, sqlite3_value**) {
    sqlite3_result_text(context, "theirs", -1, SQLITE_STATIC);
  };
  return sqlite3_create_function(db, "typeof", 1, SQLITE_UTF8, nullptr, answer, nullptr, nullptr);
}

int begin_transaction(sqlite3* db, char**, const sqlite3_api_routines*) {
  return sqlite3_exec(db, "BEGIN", nullptr, nullptr, nullptr);
}

int return_misuse(sqlite3*, char**, const sqlite3_api_routines*) { return SQLITE_MISUSE; }

/// Opens the file, which fails and does not change it.
void check_refused(const ashmemo::store::OpenOptions& options) {
  const std::string before = read_file(options.path);
  const auto opening = open_with(options);
  CHECK(outcome(opening) == "other");
  CHECK_FALSE(has(message_of(opening), "a new file fails, too"));  // no other file was tried
  CHECK(opening.quarantine.empty());
  CHECK(read_file(options.path) == before);
}

/// Makes a cache file that this user may not write. Returns the options that open it as a file that
/// was found corrupt during use.
ashmemo::store::OpenOptions make_forbidden(const std::string& path) {
  make_cache(path);
  fs::permissions(path, fs::perms(0400));
  auto options = options_for(path);
  options.found_corrupt = "page 7 is damaged";
  options.corrupt_file = ashmemo::base::inspect(path)->identity;
  return options;
}

/// The outcome, and the files that were reported as quarantined.
std::string outcome_of(const ashmemo::store::OpenOptions& options) {
  const auto opening = open_with(options);
  std::string said = outcome(opening);
  for (const Quarantine& each : opening.quarantine) said += ", quarantined " + each.file;
  return said;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a file of a newer version is quarantined unchanged") {
    const TempDir dir;
    make_cache(dir.path("x"));
    shell(dir.path("x"), "PRAGMA user_version=3");
    check_quarantined(dir, dir.path("x"), "newer version");
  }

  TEST_CASE("garbage beside a cache's lock file is quarantined") {
    const TempDir dir;
    for (const std::string& garbage :
         {std::string("garbage"), std::string(8'192, '\0'), std::string(8'192, 'x')}) {
      make_cache(dir.path("x"));
      write_file(dir.path("x"), garbage);
      check_quarantined(dir, dir.path("x"), "no SQLite database");
      fs::remove(dir.path("x"));
    }
  }

  TEST_CASE("a truncated cache file is quarantined") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const std::string whole = read_file(dir.path("x"));
    const std::size_t last_page = whole.find_last_not_of('\0') / 4'096 * 4'096;  // then zeros
    for (const std::size_t size :
         {std::size_t{50}, std::size_t{100}, std::size_t{4'096}, std::size_t{10'000}, last_page}) {
      INFO(size);
      write_file(dir.path("x"), whole.substr(0, size));
      check_quarantined(dir, dir.path("x"), "");
      fs::remove(dir.path("x"));
    }
  }

  TEST_CASE("opening gives a working file after damage in the first page") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const std::string whole = read_file(dir.path("x"));
    for (std::size_t at = 0; at < 120; ++at) {
      INFO(at);
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
      write_file(dir.path("x"), damaged);
      const auto opening = open_at(dir.path("x"));
      // With another application_id the file is not a cache.
      if (at >= 68 && at < 72) {
        CHECK(outcome(opening) == "not_ours");
        CHECK(read_file(dir.path("x")) == damaged);
        continue;
      }
      REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
      CHECK(put(**opening.store, "new") == "committed");
    }
  }

  TEST_CASE("a file with foreign code or missing tables is quarantined") {
    const TempDir dir;
    const std::vector<std::string> changes = {
        "CREATE TRIGGER evil AFTER INSERT ON cache_entries BEGIN DELETE FROM cache_calculations; "
        "END",
        "CREATE VIRTUAL TABLE evil USING fts5(a)",
        "ALTER TABLE cache_entries ADD COLUMN evil ANY",
        "DROP TABLE cache_entries",
        "DELETE FROM cache_totals",
    };
    for (const std::string& sql : changes) {
      INFO(sql);
      make_cache(dir.path("x"));
      REQUIRE(shell(dir.path("x"), sql).empty());
      check_quarantined(dir, dir.path("x"), "");
      fs::remove(dir.path("x"));
    }
  }

  TEST_CASE("a damaged file is quarantined with its log") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    {
      Program program({"sqlite3", path});
      program.send("CREATE TRIGGER evil AFTER INSERT ON cache_entries BEGIN SELECT 1; END;");
      program.send("SELECT 'ready';");
      CHECK(program.read_line() == "ready");
    }
    const std::string file = read_file(path);
    const std::string wal = read_file(path + "-wal");
    REQUIRE_FALSE(wal.empty());
    const auto opening = open_at(path);
    REQUIRE(opening.store);
    REQUIRE(opening.quarantine.size() == 1);
    CHECK(read_file(opening.quarantine[0].renamed_to) == file);
    CHECK(read_file(opening.quarantine[0].renamed_to + "-wal") == wal);
    CHECK(shell(opening.quarantine[0].renamed_to, "SELECT cache_key FROM cache_entries") ==
          "old\n");
  }

  TEST_CASE("at most one quarantined file is kept") {
    const TempDir dir;
    auto options = options_for(dir.path("x"));
    const auto clock = std::make_shared<ashmemo::ManualClock>();
    options.clock = clock;
    for (int round = 0; round < 3; ++round) {
      make_cache(dir.path("x"));
      write_file(dir.path("x"), "garbage " + std::to_string(round));
      clock->advance(std::chrono::seconds(1));
      const auto opening = open_with(options);
      REQUIRE(opening.store);
      CHECK(read_file(opening.quarantine.at(0).renamed_to) == "garbage " + std::to_string(round));
    }
    const auto facts = facts_of(dir.path());
    CHECK(std::count_if(facts.begin(), facts.end(), [](const auto& fact) {
            return fact.first.find(".corrupt-") != std::string::npos;
          }) == 1);
  }

  TEST_CASE("a file is never damaged by what the program does to SQLite") {
    const TempDir dir;
    make_cache(dir.path("x"));
    auto found_corrupt = options_for(dir.path("x"));
    found_corrupt.found_corrupt = "page 7 is damaged";
    found_corrupt.corrupt_file = ashmemo::base::inspect(dir.path("x"))->identity;
    for (AutoExtension::Change* const change :
         {refuse, replace_typeof, begin_transaction, return_misuse}) {
      const AutoExtension extension(change);
      check_refused(options_for(dir.path("x")));
      check_refused(found_corrupt);
    }
    {
      const auto limit = sqlite3_hard_heap_limit64(-1);
      sqlite3_hard_heap_limit64(sqlite3_memory_used() + 10'000);
      check_refused(options_for(dir.path("x")));
      sqlite3_hard_heap_limit64(limit);
    }
    CHECK(open_at(dir.path("x")).quarantine.empty());
    CHECK(has_key(dir.path("x"), "old"));
  }

  TEST_CASE("a file that only one connection finds damaged is not quarantined") {
    const TempDir dir;
    make_cache(dir.path("x"));
    // The first connection only shows that SQLite has threads.
    for (refused = 1; refused <= 4; ++refused) {
      INFO(refused);
      const AutoExtension extension(refuse_one);
      connections = 0;
      const auto opening = open_at(dir.path("x"));
      CHECK(outcome(opening) == "open");
      CHECK(opening.quarantine.empty());
    }
    CHECK(has_key(dir.path("x"), "old"));
  }

  TEST_CASE("a damaged file returns to its place if a new file fails, too") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    REQUIRE(shell(path, "DELETE FROM cache_totals").empty());
    write_file(path + ".corrupt-1", "an older copy");
    const std::string before = read_file(path);
    {
      FaultVfs vfs;
      vfs.fail_each(SystemCall::write, Fault::full);
      const auto opening = open_at(path);
      CHECK(outcome(opening) == "full");
      CHECK_MESSAGE(message_of(opening).find("cache_totals is missing") != std::string::npos,
                    message_of(opening));
      CHECK(opening.quarantine.empty());
    }
    CHECK(read_file(path) == before);
    CHECK(read_file(path + ".corrupt-1") == "an older copy");
    CHECK(open_at(path).quarantine.size() == 1);
    CHECK_FALSE(exists(path + ".corrupt-1"));
  }

  TEST_CASE("a damaged file that may not be written is quarantined") {
    for (const bool was_found_corrupt : {false, true}) {
      CAPTURE(was_found_corrupt);
      const TempDir dir;
      const std::string path = dir.path("x");
      dir.open_to_all();
      CHECK(in_child([&] {
              drop_privileges();
              auto options = make_forbidden(path);
              if (!was_found_corrupt) {
                fs::permissions(path, fs::perms(0600));
                write_file(path, std::string(8'192, 'x'));
                fs::permissions(path, fs::perms(0400));
                options.found_corrupt.clear();
              }
              return outcome_of(options);
            }).said == "open, quarantined " + path);
      CHECK(mode_of(path) == 0600);
    }
  }

  TEST_CASE("a damaged file that may not be written returns to its place if a new file fails") {
    const TempDir dir;
    const std::string path = dir.path("x");
    dir.open_to_all();
    CHECK(in_child([&] {
            drop_privileges();
            const auto options = make_forbidden(path);
            FaultVfs vfs;
            vfs.fail_each(SystemCall::write, Fault::full);
            return outcome_of(options);
          }).said == "full");
    CHECK(mode_of(path) == 0400);
    CHECK(has_key(path, "old"));
  }

  TEST_CASE("a file whose first page cannot be read is quarantined only when it is given up") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    const std::string before = read_file(path);
    auto options = options_for(path);
    FaultVfs vfs;
    for (const bool gives_up : {false, true}) {
      options.gives_up_reading = gives_up;
      (void)open_read_only(path);
      vfs.fail_each(SystemCall::read, Fault::io_error);
      CHECK_FALSE(open_with(options).store);  // with a new file reading fails, too
      CHECK(read_file(path) == before);
    }
    vfs.heal();
    std::size_t first_read = 0;
    {
      CHECK(open_at(path).store);
      const auto calls = vfs.calls();
      first_read = static_cast<std::size_t>(
          std::find(calls.begin(), calls.end(), SystemCall::read) - calls.begin());
      REQUIRE(first_read < calls.size());
    }
    vfs.fail(Fault::io_error, first_read, false);
    const auto opening = open_with(options);
    REQUIRE_MESSAGE(opening.store, message_of(opening));
    REQUIRE(opening.quarantine.size() == 1);
    CHECK(read_file(opening.quarantine[0].renamed_to) == before);
  }

  TEST_CASE("a file that was found corrupt during use is quarantined even if it looks healthy") {
    const TempDir dir;
    make_cache(dir.path("x"));
    auto options = options_for(dir.path("x"));
    options.found_corrupt = "page 7 is damaged";
    options.corrupt_file = ashmemo::base::inspect(dir.path("x"))->identity;
    const auto opening = open_with(options);
    REQUIRE(opening.store);
    REQUIRE(opening.quarantine.size() == 1);
    CHECK(opening.quarantine[0].why == "page 7 is damaged");
    CHECK((*opening.store)->totals()->entries == 0);
    CHECK(has_key(opening.quarantine[0].renamed_to, "old"));
  }

  TEST_CASE("a new file that is corrupt at once does not replace an older quarantined copy") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    write_file(path + ".corrupt-1", "an older copy");
    auto options = options_for(path);
    options.found_corrupt = "page 7 is damaged";
    options.corrupt_file = ashmemo::base::inspect(path)->identity;
    options.corrupt_file_is_new = true;
    const auto opening = open_with(options);
    REQUIRE(opening.store);
    REQUIRE(opening.quarantine.size() == 1);
    CHECK(read_file(path + ".corrupt-1") == "an older copy");
    CHECK_FALSE(exists(opening.quarantine[0].renamed_to));
  }

  TEST_CASE("a file that replaced a corrupt one is checked itself") {
    const TempDir dir;
    make_cache(dir.path("x"));
    fs::copy_file(dir.path("x"), dir.path("copy"));
    auto options = options_for(dir.path("x"));
    options.found_corrupt = "page 7 is damaged";
    options.corrupt_file = ashmemo::base::inspect(dir.path("x"))->identity;
    fs::rename(dir.path("copy"), dir.path("x"));
    const auto opening = open_with(options);
    REQUIRE(opening.store);
    CHECK(opening.quarantine.empty());
    CHECK(has_key(dir.path("x"), "old"));
  }
}
