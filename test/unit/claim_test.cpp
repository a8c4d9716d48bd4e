#include "store/claim.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "support/child.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::base;
using namespace ashmemo::store;
using namespace ashmemo::test;

namespace {

CachePaths paths_of(const std::string& file) {
  auto paths = resolve(file);
  REQUIRE_MESSAGE(paths, paths.failure().what);
  return *paths;
}

// "ok", or the name of the failure's kind.
template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : kind_name(result.failure().kind);
}

std::string claim_in_child(const std::string& path) {
  return in_child([&] { return outcome(ClaimedFile::for_writing(path)); }).said;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a path is resolved up to its last component") {
    const TempDir dir;
    fs::create_directory(dir.path("real"));
    fs::create_directory_symlink("real", dir.path("alias"));
    const CachePaths paths = paths_of(dir.path("alias/../alias/./x"));
    CHECK(paths.file == dir.path("real/x"));
    CHECK(paths.wal == dir.path("real/x-wal"));
    CHECK(paths.shm == dir.path("real/x-shm"));
    CHECK(paths.journal == dir.path("real/x-journal"));
    CHECK(paths.lock == dir.path("real/x-lock"));
    CHECK(paths_of("x").file == fs::current_path().string() + "/x");
  }

  TEST_CASE("57 a path that can be no file is a failure that names it") {
    const TempDir dir;
    write_file(dir.path("file"), "");
    const auto missing = resolve(dir.path("no/such/x"));
    CHECK(outcome(missing) == "unavailable");
    CHECK(missing.failure().what.find(dir.path("no/such")) != std::string::npos);
    CHECK(outcome(resolve(dir.path("no/such/"))) == "not_ours");
    CHECK(outcome(resolve(dir.path("."))) == "not_ours");
    CHECK(outcome(resolve(dir.path(".."))) == "not_ours");
    CHECK(outcome(resolve("")) == "unavailable");
    CHECK(outcome(resolve(std::string("a\0b", 3))) == "unavailable");
    // A file in the place of the folder.
    CHECK_FALSE(ClaimedFile::for_writing(dir.path("file/x")));
    CHECK_FALSE(ClaimedFile::for_writing(dir.path(std::string(300, 'n'))));
    CHECK(read_file(dir.path("file")).empty());
  }

  TEST_CASE("the lock file's line fits what is read of it and tells people what it is") {
    CHECK(kLockMagic.size() <= 100);
    CHECK(kLockMagic.back() == '\n');
    CHECK(kLockMagic.find("ashmemo") != std::string_view::npos);
  }

  TEST_CASE("a file in use is in use by every name it has") {
    const TempDir dir;
    fs::create_directory(dir.path("folder"));
    fs::create_directory_symlink("folder", dir.path("alias"));
    const auto claim = ClaimedFile::for_writing(dir.path("folder/x"));
    REQUIRE(claim);
    fs::create_hard_link(dir.path("folder/x"), dir.path("other name"));
    const auto old = fs::current_path();
    fs::current_path(dir.path());
    const std::string relative = outcome(ClaimedFile::for_writing("./folder/../folder/x"));
    fs::current_path(old);
    CHECK(relative == "in_use");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("folder/x"))) == "in_use");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("alias/x"))) == "in_use");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("other name"))) == "in_use");
    CHECK_FALSE(exists(dir.path("other name-lock")));
    CHECK(claim_in_child(dir.path("folder/x")) == "in_use");
    const auto again = ClaimedFile::for_writing(dir.path("folder/x"));
    CHECK(again.failure().what.find(dir.path("folder/x")) != std::string::npos);
  }

  TEST_CASE("a refused second claim leaves the first one's lock alone") {
    const TempDir dir;
    auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "in_use");
    CHECK(claim_in_child(dir.path("x")) == "in_use");
    fs::rename(dir.path("x"), dir.path("kept"));  // so that its inode is not used again
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "in_use");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "unavailable");
    write_file(dir.path("x"), "replaced by something else");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "in_use");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "corrupt");
    CHECK(claim_in_child(dir.path("x")) == "in_use");
    CHECK(read_file(dir.path("x")) == "replaced by something else");
  }

  TEST_CASE("the end of a claim lets others in") {
    const TempDir dir;
    auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    claim->reset();
    CHECK(claim_in_child(dir.path("x")) == "ok");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "ok");
  }

  TEST_CASE("a claim for reading keeps nobody out and is kept out by nobody") {
    const TempDir dir;
    make_cache(dir.path("x"));
    fs::remove(dir.path("x-lock"));
    const auto reader = ClaimedFile::for_reading(dir.path("x"));
    REQUIRE(reader);
    CHECK_FALSE(exists(dir.path("x-lock")));
    const auto writer = ClaimedFile::for_writing(dir.path("x"));
    CHECK(outcome(writer) == "ok");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "ok");
    CHECK(claim_in_child(dir.path("x")) == "in_use");
  }

  TEST_CASE("a file that this process has open is not opened for its header") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const auto writer = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(writer);
    // If the header were read, this would be found out.
    write_file(dir.path("x"), "no header");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "ok");
    CHECK(claim_in_child(dir.path("x")) == "in_use");
  }

  TEST_CASE("of what is not ours no lock file is left, before or after") {
    const TempDir dir;
    write_file(dir.path("x"), "my notes");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
    CHECK(outcome(ClaimedFile::for_reading(dir.path("x"))) == "not_ours");
    CHECK_FALSE(exists(dir.path("x-lock")));
    // So it is still nobody's the second time.
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
    CHECK(read_file(dir.path("x")) == "my notes");
  }

  TEST_CASE("a creation that was cut off before FILE was there is taken up again") {
    const TempDir dir;
    for (const std::string_view lock :
         {kLockMagic.substr(0, 0), kLockMagic.substr(0, 20), kLockMagic}) {
      write_file(dir.path("x-lock"), lock);
      auto claim = ClaimedFile::for_writing(dir.path("x"));
      REQUIRE(claim);
      CHECK(claim.value()->damage().empty());
      CHECK(read_file(dir.path("x-lock")) == kLockMagic);
      claim->reset();
      fs::remove(dir.path("x"));
    }
  }

  TEST_CASE("an empty file with rights for others becomes its owner's alone") {
    const TempDir dir;
    write_file(dir.path("x"), "");
    fs::permissions(dir.path("x"), fs::perms(0644));
    REQUIRE(ClaimedFile::for_writing(dir.path("x")));
    CHECK(fs::status(dir.path("x")).permissions() == fs::perms(0600));
  }

  TEST_CASE("what a deleted cache leaves behind is removed; what may be somebody's is not") {
    const TempDir dir;
    for (const std::string beside : {"x-wal", "x-shm", "x-journal"}) {
      for (const bool file_is_empty : {false, true}) {
        INFO(beside);
        write_file(dir.path(beside), "debris");
        if (file_is_empty) write_file(dir.path("x"), "");
        const auto refused = ClaimedFile::for_writing(dir.path("x"));
        CHECK(outcome(refused) == "not_ours");
        CHECK(read_file(dir.path(beside)) == "debris");
        CHECK(exists(dir.path("x")) == file_is_empty);
        CHECK_FALSE(exists(dir.path("x-lock")));
        write_file(dir.path("x-lock"), kLockMagic);
        CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "ok");
        CHECK_FALSE(exists(dir.path(beside)));
        fs::remove(dir.path("x"));
        fs::remove(dir.path("x-lock"));
      }
    }
  }

  TEST_CASE("what is beside a cache file must be ours as well") {
    const TempDir dir;
    make_cache(dir.path("x"));
    fs::remove(dir.path("x-lock"));
    const std::string content = read_file(dir.path("x"));
    for (const std::string beside : {"x-wal", "x-shm", "x-journal", "x-lock"}) {
      INFO(beside);
      fs::create_symlink(dir.path("somebody's"), dir.path(beside));
      const auto link = ClaimedFile::for_writing(dir.path("x"));
      CHECK(outcome(link) == "not_ours");
      CHECK(link.failure().what.find(dir.path(beside)) != std::string::npos);
      fs::remove(dir.path(beside));
      fs::create_directory(dir.path(beside));
      CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
      fs::remove(dir.path(beside));
      write_file(dir.path(beside), "");
      fs::permissions(dir.path(beside), fs::perms(0666));
      CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
      fs::remove(dir.path(beside));
    }
    CHECK_FALSE(exists(dir.path("somebody's")));
    CHECK(read_file(dir.path("x")) == content);
    write_file(dir.path("x-lock"), "a list of my locks");
    CHECK(outcome(ClaimedFile::for_writing(dir.path("x"))) == "not_ours");
    CHECK(read_file(dir.path("x-lock")) == "a list of my locks");
  }

  TEST_CASE("deletion and replacement of any of the files are seen") {
    const TempDir dir;
    for (const char* name : {"x", "x-wal", "x-lock"}) {
      for (const bool replaced : {false, true}) {
        INFO(name);
        {
          const auto claim = ClaimedFile::for_writing(dir.path("x"));
          REQUIRE(claim);
          write_file(dir.path("x-wal"), "");
          claim.value()->remember_wal();
          CHECK(claim.value()->still_in_place());
          fs::rename(dir.path(name), dir.path("kept"));
          if (replaced) write_file(dir.path(name), "");
          CHECK_FALSE(claim.value()->still_in_place());
          fs::rename(dir.path("kept"), dir.path(name));
          CHECK(claim.value()->still_in_place());
        }
        fs::remove(dir.path("x"));
      }
    }
  }

  TEST_CASE("a WAL that was never seen is not missed") {
    const TempDir dir;
    const auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    claim.value()->remember_wal();
    CHECK(claim.value()->still_in_place());
    write_file(dir.path("x-wal"), "");
    CHECK(claim.value()->still_in_place());
  }

  TEST_CASE("a forked child's end of a claim does not end its parent's") {
    const TempDir dir;
    auto claim = ClaimedFile::for_writing(dir.path("x"));
    REQUIRE(claim);
    const ChildEnd end = in_child([&]() -> std::string {
      claim->reset();
      return "";
    });
    CHECK(end.exit_code == 0);
    CHECK(claim_in_child(dir.path("x")) == "in_use");
  }
}
