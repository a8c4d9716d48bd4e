// Opening without a place for the file: missing folders, missing rights and full disks.

#include <doctest/doctest.h>
#include <sys/mount.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "support/child.hpp"
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
              .what.ends_with("create its folder, or choose another path"));
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
                "; open it for writing once, which creates or upgrades the cache");
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
}
