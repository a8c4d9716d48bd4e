#include "store/quarantine.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/claim.hpp"
#include "support/child.hpp"
#include "support/system_calls.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::store;
using namespace ashmemo::test;

using Kind = OsCall::Kind;

namespace {

CachePaths paths_of(const std::string& file) {
  auto paths = resolve(file);
  REQUIRE_MESSAGE(paths, paths.failure().what);
  return *paths;
}

/// A damaged file that is claimed.
struct DamagedFile {
  DamagedFile() {
    write_file(dir.path("x"), "garbage");
    write_file(dir.path("x-wal"), "its wal");
    write_file(dir.path("x-shm"), "its shm");
    write_file(dir.path("x-lock"), kLockMagic);
    auto claimed = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claimed);
    claim = std::move(*claimed);
  }

  TempDir dir;
  std::unique_ptr<ClaimedFile> claim;
};

/// The renames and syncs of `work`, in their order.
template <class Work>
std::vector<std::string> renames_and_syncs(const Work& work) {
  std::vector<std::string> seen;
  before_os_calls([&seen](const OsCall& call) {
    std::string step = call.kind == Kind::sync ? "syncs" : "";
    if (call.kind == Kind::rename || call.kind == Kind::rename_only) {
      step = "renames " + fs::path(call.path).filename().string();
    }
    // Without `rename_only` in the file system the library tries `rename` next.
    if (!step.empty() && (seen.empty() || seen.back() != step)) seen.push_back(step);
    return 0;
  });
  work();
  before_os_calls({});
  return seen;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("quarantine keeps the file with its WAL and creates a new file") {
    const TempDir dir;
    write_file(dir.path("x"), "garbage");
    write_file(dir.path("x-wal"), "its wal");
    write_file(dir.path("x-shm"), "its shm");
    write_file(dir.path("x-journal"), "its journal");
    write_file(dir.path("x-lock"), kLockMagic);
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    CHECK(claim.value()->damage() == "it is no SQLite database any more");
    std::string name;
    REQUIRE(claim.value()->quarantine(1'700'000'000'000'000, &name));
    CHECK(name == dir.path("x.corrupt-1700000000000000"));
    CHECK(read_file(name) == "garbage");
    CHECK(read_file(name + "-wal") == "its wal");
    CHECK(read_file(dir.path("x")).empty());
    CHECK(fs::status(dir.path("x")).permissions() == fs::perms(0600));
    for (const char* gone : {"x-wal", "x-shm", "x-journal"}) CHECK_FALSE(exists(dir.path(gone)));
    CHECK(claim.value()->damage().empty());
    CHECK(claim.value()->still_in_place());
    fs::create_hard_link(dir.path("x"), dir.path("y"));
    CHECK_FALSE(ClaimedFile::for_writing(dir.path("y")));
  }

  TEST_CASE("keep_one_copy removes older copies only by their exact names") {
    const TempDir dir;
    for (const char* name : {"x", "x.corrupt-1", "x.corrupt-1-wal", "x.corrupt-22"}) {
      write_file(dir.path(name), "old");
    }
    const char* const others[] = {"x.corrupt-",       "x.corrupt-1a",    "x.corrupt-1-wal2",
                                  "x.corrupt--wal",   "x.corrupt-1.bak", "xx.corrupt-1",
                                  "y.corrupt-1",      "x.corrupt-1-shm", "x.corrupt--1",
                                  "x.corrupt-1-wal ", "X.corrupt-1"};
    for (const char* name : others) write_file(dir.path(name), "not ours");
    fs::create_directory(dir.path("x.corrupt-3"));
    fs::create_symlink("y.corrupt-1", dir.path("x.corrupt-4"));
    std::string renamed;
    REQUIRE(quarantine(paths_of(dir.path("x")), 5, &renamed));
    CHECK(exists(dir.path("x.corrupt-22")));
    keep_one_copy(dir.path("x"), renamed, false);
    CHECK(exists(dir.path("x.corrupt-5")));
    for (const char* gone : {"x.corrupt-1", "x.corrupt-1-wal", "x.corrupt-22"}) {
      CHECK_MESSAGE(!exists(dir.path(gone)), gone);
    }
    for (const char* name : others) CHECK_MESSAGE(exists(dir.path(name)), name);
    CHECK(exists(dir.path("x.corrupt-3")));
    CHECK(exists(dir.path("x.corrupt-4")));
  }

  TEST_CASE("quarantine finds a free name at any time of the clock") {
    const TempDir dir;
    write_file(dir.path("x"), "first");
    std::string renamed;
    CHECK(quarantine(paths_of(dir.path("x")), -7, &renamed));
    CHECK(renamed == dir.path("x.corrupt-0"));
    write_file(dir.path("x"), "second");
    CHECK(quarantine(paths_of(dir.path("x")), 0, &renamed));
    CHECK(renamed == dir.path("x.corrupt-1"));
    CHECK(read_file(dir.path("x.corrupt-1")) == "second");
    CHECK(read_file(dir.path("x.corrupt-0")) == "first");
  }

  TEST_CASE("keep_one_copy keeps an older copy if that is preferred and exists") {
    const TempDir dir;
    for (const char* name : {"x.corrupt-2", "x.corrupt-2-wal"}) write_file(dir.path(name), "new");
    keep_one_copy(dir.path("x"), dir.path("x.corrupt-2"), true);
    CHECK(exists(dir.path("x.corrupt-2")));
    write_file(dir.path("x.corrupt-1"), "old");
    keep_one_copy(dir.path("x"), dir.path("x.corrupt-2"), true);
    CHECK(exists(dir.path("x.corrupt-1")));
    CHECK_FALSE(exists(dir.path("x.corrupt-2")));
    CHECK_FALSE(exists(dir.path("x.corrupt-2-wal")));
  }

  TEST_CASE("restore returns a quarantined file with its WAL to its place") {
    const TempDir dir;
    write_file(dir.path("x"), "garbage");
    write_file(dir.path("x-wal"), "its wal");
    write_file(dir.path("x-lock"), kLockMagic);
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    std::string name;
    REQUIRE(claim.value()->quarantine(1, &name));
    for (const char* made : {"x-wal", "x-shm", "x-journal"}) write_file(dir.path(made), "new");
    REQUIRE(claim.value()->restore(name));
    CHECK(read_file(dir.path("x")) == "garbage");
    CHECK(read_file(dir.path("x-wal")) == "its wal");
    for (const char* gone : {"x-shm", "x-journal", "x.corrupt-1", "x.corrupt-1-wal"}) {
      CHECK_FALSE_MESSAGE(exists(dir.path(gone)), gone);
    }
    CHECK(claim.value()->still_in_place());
  }

  TEST_CASE("a quarantine that fails returns the file with its WAL to its place") {
    const std::function<bool(const OsCall&, int)> failures[] = {
        [](const OsCall& call, int) { return call.kind == Kind::create; },
        [done = false](const OsCall& call, int) mutable {
          const bool is_shm =
              call.kind == Kind::remove && std::string_view(call.path).ends_with("-shm");
          return is_shm && !std::exchange(done, true);
        },
        // A WAL that cannot be renamed is removed, unless that fails, too.
        [](const OsCall& call, int renamings) {
          return call.kind == Kind::rename_only ? renamings == 2 : call.kind == Kind::remove;
        }};
    for (const auto& fails : failures) {
      const DamagedFile file;
      int renamings = 0;
      before_os_calls([&](const OsCall& call) {
        if (call.kind == Kind::rename_only) ++renamings;
        return fails(call, renamings) ? EACCES : 0;
      });
      std::string name;
      CHECK_FALSE(file.claim->quarantine(1, &name));
      before_os_calls({});
      CHECK(name.empty());
      CHECK(read_file(file.dir.path("x")) == "garbage");
      CHECK(read_file(file.dir.path("x-wal")) == "its wal");
      CHECK(file.claim->still_in_place());
    }
  }

  TEST_CASE("a quarantine that fails and cannot be undone gives the new name") {
    const DamagedFile file;
    bool has_failed = false;
    before_os_calls([&](const OsCall& call) {
      has_failed = has_failed || call.kind == Kind::create;
      return has_failed ? EACCES : 0;
    });
    std::string name;
    CHECK_FALSE(file.claim->quarantine(1, &name));
    before_os_calls({});
    CHECK(name == file.dir.path("x.corrupt-1"));
    CHECK(read_file(name) == "garbage");
  }

  TEST_CASE("a log that could not be moved stays when the quarantine is undone") {
    const DamagedFile file;
    int renamings = 0;
    before_os_calls([&](const OsCall& call) {
      if (call.kind == Kind::rename_only) ++renamings;
      // The log can be neither renamed nor removed, and FILE cannot return at once.
      const bool is_renaming = call.kind == Kind::rename_only || call.kind == Kind::rename;
      if (is_renaming) return renamings == 2 || renamings == 3 ? EACCES : 0;
      return call.kind == Kind::remove && renamings == 2 ? EACCES : 0;
    });
    std::string name;
    CHECK_FALSE(file.claim->quarantine(1, &name));
    before_os_calls({});
    CAPTURE(renamings);
    CHECK(name.empty());
    CHECK(read_file(file.dir.path("x")) == "garbage");
    CHECK(read_file(file.dir.path("x-wal")) == "its wal");
  }

  TEST_CASE("restore removes the log of the new file if the old file had none") {
    const TempDir dir;
    write_file(dir.path("x"), "garbage");
    write_file(dir.path("x-lock"), kLockMagic);
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    std::string name;
    REQUIRE(claim.value()->quarantine(1, &name));
    write_file(dir.path("x-wal"), "new");
    REQUIRE(claim.value()->restore(name));
    CHECK(read_file(dir.path("x")) == "garbage");
    CHECK_FALSE(exists(dir.path("x-wal")));
  }

  TEST_CASE("quarantine and restore sync the folder between their two renames") {
    const TempDir dir;
    write_file(dir.path("x"), "garbage");
    write_file(dir.path("x-wal"), "its wal");
    const CachePaths paths = paths_of(dir.path("x"));
    std::string name;
    CHECK(renames_and_syncs([&] { (void)quarantine(paths, 1, &name); }) ==
          std::vector<std::string>{"renames x", "syncs", "renames x-wal"});
    CHECK(renames_and_syncs([&] { (void)restore(paths, dir.path("x.corrupt-1")); }) ==
          std::vector<std::string>{"renames x.corrupt-1-wal", "syncs", "renames x.corrupt-1"});
  }

  TEST_CASE("quarantine does not touch a file that replaced the claimed one") {
    const TempDir dir;
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    fs::rename(dir.path("x"), dir.path("kept"));  // keeps its inode from being reused
    write_file(dir.path("x"), "not ours");
    std::string renamed;
    CHECK_FALSE(claim.value()->quarantine(1, &renamed));
    CHECK(renamed.empty());
    CHECK(read_file(dir.path("x")) == "not ours");
  }
}
