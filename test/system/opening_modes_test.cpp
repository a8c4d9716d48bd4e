// Files that other users may write, and files with several names.

#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "support/child.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::test;

namespace {

// From now on this process cannot change modes: the calls fail with `error`, or succeed without an
// effect if it is 0. Returns false if the system does not allow the filter.
bool keep_all_modes(unsigned error) {
  std::vector<sock_filter> filter{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  constexpr unsigned kFchmodat2 = 452;
  for (const unsigned call : {
#ifdef SYS_chmod
           unsigned{SYS_chmod},
#endif
           unsigned{SYS_fchmod}, unsigned{SYS_fchmodat}, kFchmodat2}) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void set_mode(const std::string& path, int mode) { fs::permissions(path, fs::perms(mode)); }

/// Makes a cache with a log: the process that has it open is killed.
void make_killed_cache(const std::string& path) {
  Child holder = process_that_holds(path);
  REQUIRE(holder.wait_for());
  holder.kill();
  REQUIRE(fs::file_size(path + "-wal") > 0);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a cache of this user that others may write becomes private when it is opened") {
    for (const int mode : {0620, 0660, 0666}) {
      const TempDir dir;
      const std::string path = dir.path("x");
      make_killed_cache(path);
      for (const std::string suffix : {"", "-wal", "-shm", "-lock"}) {
        set_mode(path + suffix, mode);
      }
      const auto opening = open_at(path);
      REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
      CHECK(opening.quarantine.empty());
      CHECK(opening.exposed.empty());
      CHECK((*opening.store)->totals()->entries == 1);
      CHECK(put(**opening.store, "new") == "committed");
      for (const std::string suffix : {"", "-wal", "-shm", "-lock"}) {
        INFO(suffix);
        CHECK(mode_of(path + suffix) == 0600);
      }
    }
  }

  TEST_CASE("an empty file that others may write becomes a private cache") {
    const TempDir dir;
    write_file(dir.path("x"), "");
    set_mode(dir.path("x"), 0664);
    CHECK(outcome(open_at(dir.path("x"))) == "open");
    CHECK(mode_of(dir.path("x")) == 0600);
  }

  TEST_CASE("a file of another kind that others may write keeps its mode") {
    const TempDir dir;
    write_file(dir.path("notes"), "my notes");
    set_mode(dir.path("notes"), 0666);
    CHECK(outcome(open_at(dir.path("notes"))) == "not_ours");
    CHECK(mode_of(dir.path("notes")) == 0666);
    CHECK_FALSE(exists(dir.path("notes-lock")));
  }

  TEST_CASE("read-only opening reports a file that others may write and keeps its mode") {
    const TempDir dir;
    make_cache(dir.path("x"));
    set_mode(dir.path("x"), 0660);
    const auto opening = open_read_only(dir.path("x"));
    REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
    CHECK(opening.exposed == std::vector<std::string>{dir.path("x")});
    CHECK((*opening.store)->totals()->entries == 1);
    CHECK(mode_of(dir.path("x")) == 0660);
  }

  TEST_CASE("a file system that keeps its own modes is reported at each start and used") {
    for (const int error : {0, EPERM, EOPNOTSUPP, ENOSYS, EROFS}) {
      CAPTURE(error);
      const TempDir dir;
      const std::string path = dir.path("x");
      write_file(path, "");  // a new file would be private here
      set_mode(path, 0666);
      const ChildEnd end = in_child([&]() -> std::string {
        if (!keep_all_modes(static_cast<unsigned>(error))) return "no filter";
        std::string said;
        for (int start = 0; start < 2; ++start) {
          const auto opening = open_at(path);
          if (!opening.store) return opening.store.failure().what;
          said += std::to_string(opening.exposed.size()) + ' ' + put(**opening.store, "new") + ' ';
        }
        return said + outcome(open_at(path + "-other"));  // a new file
      });
      if (end.said == "no filter") {
        MESSAGE("skipped: this system allows no filter of system calls");
        return;
      }
      CHECK(end.said == "1 committed 1 committed open");
      CHECK(mode_of(path) == 0666);
    }
  }

  TEST_CASE("a cache file with a second name is refused under both names and not changed") {
    const TempDir dir;
    make_cache(dir.path("x"));
    fs::create_hard_link(dir.path("x"), dir.path("snapshot"));
    const auto before = facts_of(dir.path());
    for (const char* name : {"x", "snapshot"}) {
      for (const auto& opening : {open_at(dir.path(name)), open_read_only(dir.path(name))}) {
        CHECK(outcome(opening) == "not_ours");
        CHECK_MESSAGE(
            message_of(opening).find("has a second name (a hard link)") != std::string::npos,
            message_of(opening));
      }
    }
    CHECK(facts_of(dir.path()) == before);
    fs::remove(dir.path("snapshot"));
    CHECK(outcome(open_at(dir.path("x"))) == "open");
  }

  TEST_CASE("a second name of a lock or log file is refused") {
    const TempDir dir;
    make_killed_cache(dir.path("x"));
    for (const std::string suffix : {"-lock", "-wal", "-shm"}) {
      INFO(suffix);
      fs::create_hard_link(dir.path("x" + suffix), dir.path("other"));
      CHECK(outcome(open_at(dir.path("x"))) == "not_ours");
      fs::remove(dir.path("other"));
    }
    CHECK(outcome(open_at(dir.path("x"))) == "open");
  }
}
