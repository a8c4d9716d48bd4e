// Opening a path: a cache file is opened, any other file is not changed.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "store/file_check.hpp"
#include "support/child.hpp"
#include "support/dying_vfs.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::test;

namespace {

// Opening this path for writing or reading is refused by name and changes no file.
void check_untouched(const TempDir& dir, const std::string& path) {
  INFO(path);
  const auto before = facts_of(dir.path());
  for (const auto& opening : {open_at(path), open_read_only(path), open_at(path)}) {
    REQUIRE_FALSE(opening.store);
    CHECK(outcome(opening) == "not_ours");
    CHECK_MESSAGE(opening.store.failure().what.find(path) != std::string::npos,
                  opening.store.failure().what);
    CHECK(opening.quarantine.empty());
  }
  CHECK(facts_of(dir.path()) == before);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a new file is private and opens again") {
    const TempDir dir;
    const std::string path = dir.path("x");
    {
      const auto opening = open_at(path);
      REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
      REQUIRE(put(**opening.store, "old") == "committed");
      for (const std::string suffix : {"", "-wal", "-shm", "-lock"}) {
        INFO(suffix);
        CHECK(mode_of(path + suffix) == 0600);
      }
      CHECK(read_file(path + "-lock") == ashmemo::store::kLockMagic);
      CHECK(facts_of(dir.path()).size() == 4);
    }
    CHECK(has_key(path, "old"));
    const auto again = open_at(path);
    REQUIRE(again.store);
    CHECK(again.quarantine.empty());
    CHECK((*again.store)->totals()->entries == 1);
    CHECK((*again.store)->totals()->bytes == 100);
  }

  TEST_CASE("an empty file becomes a cache") {
    const TempDir dir;
    write_file(dir.path("x"), "");
    const auto opening = open_at(dir.path("x"));
    REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
    CHECK(opening.quarantine.empty());
    CHECK(put(**opening.store, "new") == "committed");
    CHECK(mode_of(dir.path("x")) == 0600);
  }

  TEST_CASE("file names may contain any characters") {
    const TempDir dir;
    for (const std::string name : {"with space", "quo'te", "double\"quote", "what?mode=memory",
                                   "a#b", "100%41", "file:x", ":memory:", "-x", "new\nline",
                                   "\xC3\xBC\xE2\x82\xAC", "semi;colon", "back\\slash", "x-wal"}) {
      INFO(name);
      const std::string path = dir.path(name);
      {
        const auto opening = open_at(path);
        REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
        CHECK(put(**opening.store, "old") == "committed");
      }
      CHECK(exists(path));
      CHECK(exists(path + "-lock"));
      CHECK(read_file(path).substr(0, 15) == "SQLite format 3");
    }
  }

  TEST_CASE("a relative path refers to the directory at the time of opening") {
    const TempDir dir;
    fs::create_directory(dir.path("below"));
    const auto old = fs::current_path();
    fs::current_path(dir.path("below"));
    const auto opening = open_at("../x");
    const auto plain = open_at("file:y?mode=ro");
    fs::current_path(old);
    REQUIRE(opening.store);
    REQUIRE(plain.store);
    CHECK(exists(dir.path("x")));
    CHECK(exists(dir.path("below/file:y?mode=ro")));
    // Readers are opened later, when the current directory is another one.
    CHECK((*opening.store)->totals()->entries == 0);
    CHECK(put(**plain.store, "new") == "committed");
  }

  TEST_CASE("a link to the folder is followed and a link to the file is refused") {
    const TempDir dir;
    fs::create_directory(dir.path("real"));
    fs::create_directory_symlink("real", dir.path("alias"));
    make_cache(dir.path("alias/x"));
    CHECK(exists(dir.path("real/x-lock")));
    fs::create_symlink(dir.path("real/x"), dir.path("link"));
    check_untouched(dir, dir.path("link"));
  }

  TEST_CASE("a path that is not a cache file is refused by name and not changed") {
    const TempDir dir;
    write_file(dir.path("text"), "my notes\n");
    write_file(dir.path("long text"), std::string(10'000, 'x'));
    write_file(dir.path("one byte"), "x");
    write_file(dir.path("zeroes"), std::string(8'192, '\0'));
    shell(dir.path("id 0"), "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    shell(dir.path("id 77"), "PRAGMA application_id=77; CREATE TABLE t (a)");
    shell(dir.path("wal mode"), "PRAGMA journal_mode=WAL; CREATE TABLE t (a)");
    shell(dir.path("our names"), "PRAGMA user_version=1; CREATE TABLE cache_entries (cache_key)");
    write_file(dir.path("cut off"), read_file(dir.path("id 77")).substr(0, 60));
    fs::create_directory(dir.path("directory"));
    fs::create_symlink("nowhere", dir.path("dangling"));
    fs::create_symlink("text", dir.path("link to text"));
    REQUIRE(::mkfifo(dir.path("fifo").c_str(), 0600) == 0);
    for (const std::string name :
         {"text", "long text", "one byte", "zeroes", "id 0", "id 77", "wal mode", "our names",
          "cut off", "directory", "dangling", "link to text", "fifo"}) {
      check_untouched(dir, dir.path(name));
    }
  }

  TEST_CASE("a device is refused") {
    const auto opening = open_at("/dev/null");
    CHECK(outcome(opening) == "not_ours");
    CHECK_FALSE(exists("/dev/null-lock"));
  }

  TEST_CASE("a file of another owner is refused") {
    if (!is_root()) {
      MESSAGE("skipped: changing the owner of a file needs root");
      return;
    }
    const TempDir dir;
    make_cache(dir.path("x"));
    write_file(dir.path("empty"), "");
    for (const std::string name : {"x", "empty"}) {
      REQUIRE(::chown(dir.path(name).c_str(), 12345, 12345) == 0);
      check_untouched(dir, dir.path(name));
    }
  }

  TEST_CASE("a foreign database with commits in its log is not changed") {
    const TempDir dir;
    const std::string path = dir.path("x");
    Child app([&](Child::Parent& parent) -> std::string {
      Program program({"sqlite3", path});
      program.send("PRAGMA journal_mode=WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1);");
      program.send("SELECT 'ready';");
      while (program.read_line() != "ready") {
      }
      parent.notify();
      parent.wait_for();
      return program.finish().said;
    });
    REQUIRE(app.wait_for());
    CHECK(fs::file_size(path + "-wal") > 0);
    check_untouched(dir, path);
    app.notify();
    CHECK(app.wait_for_end().exit_code == 0);
  }

  TEST_CASE("a file whose log changes the application_id is not changed") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    // The shell is killed, so that its last commit remains in the log.
    {
      Program program({"sqlite3", path});
      program.send("PRAGMA application_id=77; SELECT 'ready';");
      CHECK(program.read_line() == "ready");
    }
    REQUIRE(fs::file_size(path + "-wal") > 0);
    const std::string file = read_file(path);
    const std::string wal = read_file(path + "-wal");
    const auto opening = open_at(path);
    CHECK(outcome(opening) == "not_ours");
    CHECK(opening.quarantine.empty());
    CHECK(read_file(path) == file);
    CHECK(read_file(path + "-wal") == wal);
  }

  TEST_CASE("views, indexes and tables that users add to a closed file remain") {
    const TempDir dir;
    make_cache(dir.path("x"));
    REQUIRE(shell(dir.path("x"),
                  "CREATE VIEW mine AS SELECT * FROM cache_entries;"
                  "CREATE INDEX my_index ON cache_entries (byte_size);"
                  "CREATE TABLE my_table (a UNIQUE); INSERT INTO my_table VALUES ('kept'); ANALYZE")
                .empty());
    {
      const auto opening = open_at(dir.path("x"));
      REQUIRE(opening.store);
      CHECK(opening.quarantine.empty());
      CHECK(put(**opening.store, "new") == "committed");
    }
    CHECK(shell(dir.path("x"), "SELECT a FROM my_table; SELECT count(*) FROM mine") == "kept\n2\n");
  }

  TEST_CASE("a copy of a closed file opens as a store") {
    const TempDir dir;
    make_cache(dir.path("x"));
    fs::copy_file(dir.path("x"), dir.path("copy"));
    const auto opening = open_at(dir.path("copy"));
    REQUIRE(opening.store);
    CHECK((*opening.store)->totals()->entries == 1);
  }

  TEST_CASE("opening reads the same amount with any number of entries") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    const auto reads_to_open = [&] {
      return std::stoi(in_child([&] {
                         die_at_file_change(0);
                         const auto opening = open_at(path);
                         return std::to_string(opening.store ? file_reads() : 1'000'000);
                       }).said);
    };
    const int few = reads_to_open();
    shell(path,
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
          " INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at, accessed_at,"
          " value) SELECT 'key' || i, 100, i, 1, 1, zeroblob(50) FROM n");
    const int many = reads_to_open();
    // A deeper tree needs a few more reads. The number must not grow with the rows.
    CHECK(many <= few + 10);
  }
}
