// Processes that are killed while they make a file, or replace one: right before each change of a
// file, SQLite's and our own.

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/platform.hpp"
#include "support/child.hpp"
#include "support/dying_vfs.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::test;

namespace {

constexpr int kKilled = 128 + SIGKILL;

using OnPath = std::function<void(const std::string& path)>;

/// For each change that `open` makes: `prepare` a place, have a child killed there right before the
/// change, and `check` what it has left. How many changes there are.
int kill_at_each_change(const OnPath& prepare,
                        const std::function<Opening(const std::string&)>& open,
                        const OnPath& check) {
  constexpr int kMax = 200;
  for (int nth = 1; nth < kMax; ++nth) {
    INFO("killed before change " << nth);
    const TempDir dir;
    const std::string path = dir.path("x");
    prepare(path);
    const ChildEnd end = in_child([&] {
      die_at_file_change(nth);
      return outcome(open(path));
    });
    const bool reached_the_end = end.said == "open";
    REQUIRE_MESSAGE((reached_the_end || end.exit_code == kKilled), end.said);
    check(path);
    if (reached_the_end) return nth - 1;
  }
  return kMax;
}

/// Whatever was there before: nothing of it answers, and what is put stays. How many files the
/// opening has set aside.
std::size_t check_begins_anew(const std::string& path) {
  std::size_t quarantine = 0;
  {
    const auto opening = open_at(path);
    quarantine = opening.quarantine.size();
    REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
    CHECK((*opening.store)->totals()->entries == 0);
    CHECK(put(**opening.store, "new") == "committed");
  }
  CHECK(shell(path,
              "PRAGMA journal_mode; PRAGMA integrity_check; SELECT cache_key FROM "
              "cache_entries") == "wal\nok\nnew\n");
  return quarantine;
}

/// The files of a cache, by what follows FILE in their names.
using Files = std::map<std::string, std::string>;

void write_files(const std::string& path, const Files& files) {
  for (const auto& [suffix, content] : files) {
    write_file(path + suffix, content);
    fs::permissions(path + suffix, fs::perms::owner_read | fs::perms::owner_write);
  }
}

/// Of a process that was killed after it had erased "old": FILE has that still, the log knows that
/// it is gone.
Files files_with_an_erase_in_the_log() {
  const TempDir dir;
  const std::string path = dir.path("x");
  make_cache(path);
  const ChildEnd end = in_child([&]() -> std::string {
    const auto opening = open_at(path);
    auto* const writer = (*opening.store)->writer();
    if (!writer->begin() || !writer->erase("old") || !writer->commit(false)) return "not erased";
    ::raise(SIGKILL);
    return "not killed";
  });
  REQUIRE_MESSAGE(end.exit_code == kKilled, end.said);
  Files files;
  for (const char* const suffix : {"", "-wal", "-shm", "-lock"}) {
    files[suffix] = read_file(path + suffix);
  }
  // Without its log FILE is whole, and "old" is there.
  write_files(dir.path("alone"), {{"", files[""]}});
  CHECK(has_key(dir.path("alone"), "old"));
  return files;
}

/// The running cache has found damage that the next opening does not see.
Opening open_found_corrupt(const std::string& path) {
  auto options = options_for(path);
  options.found_corrupt = "page 7 is not what it was";
  options.corrupt_file = ashmemo::base::inspect(path)->identity;
  return open_with(options);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a process that is killed at any moment of the creation leaves a file that opens") {
    const int changes =
        kill_at_each_change([](const std::string&) {}, open_at,
                            [](const std::string& path) { CHECK(check_begins_anew(path) == 0); });
    CHECK(changes > 20);
    CHECK(changes < 200);
  }

  TEST_CASE("nothing erased is back when a process is killed while it sets a file aside") {
    Files files = files_with_an_erase_in_the_log();
    files[".corrupt-1"] = "an older copy";
    const auto prepare = [&](const std::string& path) { write_files(path, files); };

    SUBCASE("that a running cache has found corrupt") {
      const int changes = kill_at_each_change(prepare, open_found_corrupt, check_begins_anew);
      CHECK(changes > 20);
      CHECK(changes < 200);
    }
    SUBCASE("whose log is of an unknown format") {
      std::string& log = files["-wal"];
      log[7] = static_cast<char>(log[7] ^ 1);
      const int changes = kill_at_each_change(prepare, open_at, check_begins_anew);
      CHECK(changes > 20);
      CHECK(changes < 200);
    }
  }
}
