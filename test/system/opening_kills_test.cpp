// Processes that are killed while they create or quarantine a file. The kill comes right before a
// change of a file, for each change that SQLite and ashmemo make.

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "base/platform.hpp"
#include "support/child.hpp"
#include "support/data_folder.hpp"
#include "support/dying_vfs.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::test;

namespace {

using OnPath = std::function<void(const std::string& path)>;

/// For each change that `open` makes: calls `prepare`, kills a child right before the change, and
/// calls `check`. Returns the number of changes.
int kill_at_each_change(const OnPath& prepare,
                        const std::function<Opening(const std::string&)>& open,
                        const OnPath& check) {
  constexpr int kMaxChanges = 200;
  for (int nth = 1; nth < kMaxChanges; ++nth) {
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
  return kMaxChanges;
}

/// Checks that the opened cache is empty and stores an entry. Returns the number of quarantined
/// files.
std::size_t check_opens_empty(const std::string& path) {
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

/// The contents of a cache's files, by their suffix.
using Files = std::map<std::string, std::string>;

void write_files(const std::string& path, const Files& files) {
  for (const auto& [suffix, content] : files) {
    write_file(path + suffix, content);
    fs::permissions(path + suffix, fs::perms::owner_read | fs::perms::owner_write);
  }
}

/// The files of a process that was killed after it had erased "old". The main file still contains
/// "old"; the log contains its removal.
Files files_with_an_erase_in_the_log() {
  const TempDir dir;
  const std::string path = dir.path("x");
  make_cache_with_an_erase_in_the_log(path);
  Files files;
  for (const char* const suffix : {"", "-wal", "-shm", "-lock"}) {
    files[suffix] = read_file(path + suffix);
  }
  // Without its log the main file is healthy and contains "old".
  write_files(dir.path("alone"), {{"", files[""]}});
  CHECK(has_key(dir.path("alone"), "old"));
  return files;
}

/// A cache file with the entry "other", beside the log of another file, which contains "old".
Files files_with_a_log_of_another() {
  const TempDir dir;
  {
    const auto opening = open_at(dir.path("other"));
    REQUIRE(opening.store);
    CHECK(put(**opening.store, "other") == "committed");
  }
  Files files = files_with_an_erase_in_the_log();
  files[""] = read_file(dir.path("other"));
  return files;
}

/// Checks that the file is whole and contains nothing of the log.
std::size_t check_has_other_alone(const std::string& path) {
  CHECK(outcome(open_at(path)) == "open");
  CHECK(shell(path, "PRAGMA integrity_check; SELECT cache_key FROM cache_entries") ==
        "ok\nother\n");
  return 0;
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a file opens after its creation was killed at any change") {
    const int changes =
        kill_at_each_change([](const std::string&) {}, open_at,
                            [](const std::string& path) { CHECK(check_opens_empty(path) == 0); });
    CHECK(changes > 20);
    CHECK(changes < 200);
  }

  TEST_CASE("a file that replaces one in creation is served whole if its creator was killed") {
    const Files files = files_with_a_log_of_another();
    const int changes = kill_at_each_change([](const std::string&) {}, open_at,
                                            [&](const std::string& path) {
                                              write_files(path, {{"", files.at("")}});
                                              (void)check_has_other_alone(path);
                                            });
    CHECK(changes > 20);
    CHECK(changes < 200);
  }

  TEST_CASE("a process that is killed while it drops a foreign log leaves a whole file") {
    const Files files = files_with_a_log_of_another();
    const int changes = kill_at_each_change(
        [&](const std::string& path) { write_files(path, files); }, open_at, check_has_other_alone);
    CHECK(changes >= 3);  // the log is emptied and removed, and its index is removed
    CHECK(changes < 200);
  }

  TEST_CASE("a process that is killed at any moment of an upgrade leaves all results") {
    const std::string old = std::string(kDataFolder) + "/format-1.cache.db";
    const Files files{{"", read_file(old)}};
    const auto check = [](const std::string& path) {
      const auto opening = open_at(path);
      CHECK(opening.quarantine.empty());
      REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
      CHECK((*opening.store)->totals()->entries == 12);
      CHECK((*opening.store)->page("", "", 99)->size() == 12);
      CHECK(put(**opening.store, "new") == "committed");
    };
    const int changes = kill_at_each_change(
        [&](const std::string& path) { write_files(path, files); }, open_at, check);
    CHECK(changes > 15);
    CHECK(changes < 200);
  }

  TEST_CASE("an erased entry does not return when a quarantine is killed at any change") {
    Files files = files_with_an_erase_in_the_log();
    files[".corrupt-1"] = "an older copy";
    const auto prepare = [&](const std::string& path) { write_files(path, files); };

    SUBCASE("of a file that a running cache found corrupt") {
      const int changes = kill_at_each_change(prepare, open_found_corrupt, check_opens_empty);
      CHECK(changes > 20);
      CHECK(changes < 200);
    }
    SUBCASE("of a file whose log has an unknown format") {
      std::string& log = files["-wal"];
      log[7] = static_cast<char>(log[7] ^ 1);
      const int changes = kill_at_each_change(prepare, open_at, check_opens_empty);
      CHECK(changes > 20);
      CHECK(changes < 200);
    }
  }
}
