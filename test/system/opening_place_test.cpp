// Opening without a place for the file: missing folders, missing rights and full disks.

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/mount.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/error.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "support/child.hpp"
#include "support/fault_vfs.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::test;

TEST_SUITE("system") {
  TEST_CASE("opening in a missing folder is an error with the path and advice") {
    const TempDir dir;
    for (const auto& opening : {open_at(dir.path("no/x")), open_read_only(dir.path("no/x"))}) {
      CHECK(outcome(opening) == "unavailable");
      CHECK(opening.store.failure().what.find(dir.path("no/x")) != std::string::npos);
    }
    CHECK(open_at(dir.path("no/x"))
              .store.failure()
              .what.ends_with("does not exist; create it, or use another path"));
    CHECK_FALSE(exists(dir.path("no")));
  }

  TEST_CASE("read-only opening of a missing or empty file says how to create a cache") {
    const TempDir dir;
    std::ofstream(dir.path("empty"));
    for (const auto& [name, why] :
         {std::pair("none", "there is no such file"), std::pair("empty", "the file is empty")}) {
      const auto opening = open_read_only(dir.path(name));
      CHECK(outcome(opening) == "unavailable");
      CHECK(opening.store.failure().what ==
            "cannot open the cache '" + dir.path(name) + "': " + why +
                "; open it for writing once, as its application does at its start, to create or "
                "upgrade the cache");
    }
  }

  TEST_CASE("a folder or file without write permission is an error with the path") {
    const TempDir dir;
    fs::create_directory(dir.path("folder"));
    dir.open_to_all();
    const auto opened_without_rights = [&](const std::string& path) {
      return in_child([&]() -> std::string {
               drop_privileges();
               const auto opening = open_at(path);
               return outcome(opening) + ' ' + (opening.store ? "" : opening.store.failure().what);
             })
          .said;
    };
    fs::permissions(dir.path("folder"), fs::perms(0555));
    const std::string no_folder = opened_without_rights(dir.path("folder/x"));
    CHECK(no_folder.starts_with("io cannot open the cache '" + dir.path("folder/x")));
    CHECK(no_folder.find("Permission denied") != std::string::npos);
    fs::permissions(dir.path("folder"), fs::perms(0000));
    CHECK(opened_without_rights(dir.path("folder/x")).starts_with("io cannot open the cache"));
    // A cache file of the same user without write permission.
    const ChildEnd end = in_child([&]() -> std::string {
      drop_privileges();
      const std::string path = dir.path("own");
      if (const auto made = open_at(path); !made.store) return made.store.failure().what;
      fs::permissions(path, fs::perms(0400));
      const auto opening = open_at(path);
      return outcome(opening) + ' ' + (opening.store ? "" : opening.store.failure().what);
    });
    CHECK_MESSAGE(end.said.starts_with("io cannot open the cache '" + dir.path("own")), end.said);
    fs::permissions(dir.path("folder"), fs::perms(0700));
  }

  TEST_CASE("a full disk is an error with the path, and opening works after it") {
    const TempDir dir;
    const std::string path = dir.path("x");
    if (!is_root() || ::mount("none", dir.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
      MESSAGE("skipped: mounting a small disk needs root");
      return;
    }
    write_file(dir.path("filler"), std::string(64 * 1024, 'x'));
    const auto full = open_at(path);
    const std::string said = full.store ? "" : full.store.failure().what;
    const bool left_something = exists(path) || exists(path + "-lock");
    fs::resize_file(dir.path("filler"), 44 * 1024);
    const auto nearly_full = open_at(path);
    fs::remove(dir.path("filler"));
    ::mount("none", dir.path().c_str(), nullptr, MS_REMOUNT, "size=16m");
    const auto healed = open_at(path);
    const std::string after = healed.store ? put(**healed.store, "new") : "";
    if (healed.store) (*healed.store)->close();
    ::umount(dir.path().c_str());
    CHECK(outcome(full) == "full");
    CHECK(said.find(path) != std::string::npos);
    CHECK(said.find("make room") != std::string::npos);
    CHECK_FALSE(left_something);
    CHECK(outcome(nearly_full) == "full");
    CHECK(outcome(healed) == "open");
    CHECK(healed.quarantine.empty());
    CHECK(after == "committed");
  }

  TEST_CASE("a path that is too long is an error and nothing is created") {
    const TempDir dir;
    std::string folder = dir.path();
    while (folder.size() < 400) folder += '/' + std::string(80, 'd');
    fs::create_directories(folder);
    bool has_opened = false;
    for (std::size_t bytes = 512; bytes > 495; --bytes) {
      INFO(bytes);
      const std::string path = folder + '/' + std::string(bytes - folder.size() - 1, 'n');
      const auto opening = open_at(path);
      has_opened = has_opened || opening.store;
      if (has_opened) {
        CHECK(outcome(opening) == "open");
        CHECK(put(**opening.store, "new") == "committed");
        continue;
      }
      CHECK(outcome(opening) == "unavailable");
      CHECK_MESSAGE(message_of(opening).find("the whole path is too long: it has " +
                                             std::to_string(bytes) + " bytes") != std::string::npos,
                    message_of(opening));
      CHECK(fs::is_empty(folder));
    }
    CHECK(has_opened);
  }

  TEST_CASE("the longest name of a file can be quarantined and a longer one is refused") {
    const TempDir dir;
    CHECK(outcome(open_at(dir.path(std::string(227, 'n')))) == "unavailable");
    CHECK(fs::is_empty(dir.path()));
    const std::string path = dir.path(std::string(226, 'n'));
    make_cache(path);
    write_file(path, "damaged");
    ashmemo::store::OpenOptions options = options_for(path);
    options.clock = ashmemo::system_clock();
    const auto opening = open_with(options);
    REQUIRE_MESSAGE(opening.store, message_of(opening));
    CHECK(opening.quarantine.size() == 1);
  }

  TEST_CASE("a file system without shared memory is an error that says so") {
    const TempDir dir;
    FaultVfs vfs;
    vfs.fail_each(SystemCall::map, Fault::io_error);
    const auto opening = open_at(dir.path("x"));
    CHECK(outcome(opening) == "io");
    CHECK_MESSAGE(message_of(opening).find("cannot map shared memory") != std::string::npos,
                  message_of(opening));
    CHECK(message_of(opening).find(dir.path("x")) != std::string::npos);
  }

  TEST_CASE("SQLite without threads is an error even if the cache may go on without a file") {
    const TempDir dir;
    const TempDir other;
    const ChildEnd end = in_child([&]() -> std::string {
      ashmemo::Cache(other.path("x")).close();  // SQLite has threads until here
      ::sqlite3_shutdown();
      if (::sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK) return "no such setting";
      try {
        const ashmemo::Cache cache(dir.path("x"));
        return "opened";
      } catch (const ashmemo::Error& error) {
        return std::string(to_string(error.code())) + ": " + error.what();
      }
    });
    CHECK_MESSAGE(end.said.starts_with("unavailable: cannot open the cache '" + dir.path("x")),
                  end.said);
    CHECK_MESSAGE(end.said.find("for one thread") != std::string::npos, end.said);
    CHECK(fs::is_empty(dir.path()));
  }
}
