#include "base/platform.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <thread>
#include <vector>

#include "engine/time.hpp"
#include "support/child.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
using namespace ashmemo::base;
using namespace ashmemo::test;

namespace {

constexpr std::string_view kMagic = "a magic line\n";

int mode_of(const std::string& path) {
  struct stat found = {};
  REQUIRE(::stat(path.c_str(), &found) == 0);
  return found.st_mode & 0777;
}

/// How many of these pages the system has provided.
std::size_t provided_pages(void* begin, std::size_t bytes) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages(bytes / page);
  REQUIRE(::mincore(begin, bytes, pages.data()) == 0);
  return static_cast<std::size_t>(std::count_if(
      pages.begin(), pages.end(), [](unsigned char state) { return state % 2 == 1; }));
}

// Acquires the lock in a child process. Returns "taken", "busy" or the text of the failure.
std::string lock_in_child(const std::string& path) {
  return in_child([&]() -> std::string {
           const auto lock = FileLock::acquire(path, kMagic);
           if (lock) return "taken";
           return lock.failure().kind == FailureKind::busy ? "busy" : lock.failure().what;
         })
      .said;
}

/// Forked children that live until the end of the test.
class LivingChildren {
 public:
  LivingChildren() { REQUIRE(::pipe(pipe_.data()) == 0); }
  ~LivingChildren() {
    for (const int end : pipe_) ::close(end);
  }
  LivingChildren(const LivingChildren&) = delete;
  LivingChildren& operator=(const LivingChildren&) = delete;

  void fork_one() const {
    if (::fork() != 0) return;
    // Closes all other pipes, because the test waits until they are closed. Files stay open.
    for (int number = STDERR_FILENO + 1; number < 256; ++number) {
      struct stat found = {};
      const bool is_pipe = ::fstat(number, &found) == 0 && S_ISFIFO(found.st_mode);
      if (is_pipe && number != pipe_[0]) ::close(number);
    }
    ::alarm(60);
    char byte = 0;
    (void)!::read(pipe_[0], &byte, 1);  // until the other end is closed
    ::_exit(0);
  }

 private:
  std::array<int, 2> pipe_{};
};

bool can_lock_exclusively(const std::string& path, off_t first) {
  return in_child([&]() -> std::string {
           const int file = ::open(path.c_str(), O_RDWR);
           struct flock range = {};
           range.l_type = F_WRLCK;
           range.l_whence = SEEK_SET;
           range.l_start = first;
           range.l_len = 10;
           return ::fcntl(file, F_SETLK, &range) == 0 ? "locked" : "refused";
         }).said == "locked";
}

bool has_locks_of_open_files() {
  const TempDir dir;
  write_file(dir.path("x"), "");
  const auto lock = RangeLock::open(dir.path("x"), RangeLock::Mode::shared);
  return lock && *lock != nullptr &&
         lock.value()->lock(RangeLock::Mode::shared, 0, 1) == RangeLock::Outcome::locked;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("inspect returns a state for a missing file") {
    const TempDir dir;
    const auto state = inspect(dir.path("nothing"));
    REQUIRE(state);
    CHECK(state->type == FileType::missing);
  }

  TEST_CASE("inspect reports the type of a file without opening it") {
    const TempDir dir;
    write_file(dir.path("file"), "12345");
    fs::create_directory(dir.path("directory"));
    fs::create_symlink("file", dir.path("link"));
    fs::create_symlink("nowhere", dir.path("dangling"));
    REQUIRE(::mkfifo(dir.path("fifo").c_str(), 0600) == 0);
    CHECK(inspect(dir.path("file"))->type == FileType::regular);
    CHECK(inspect(dir.path("file"))->bytes == 5);
    CHECK(inspect(dir.path("directory"))->type == FileType::directory);
    CHECK(inspect(dir.path("link"))->type == FileType::link);
    CHECK(inspect(dir.path("dangling"))->type == FileType::link);
    CHECK(inspect(dir.path("fifo"))->type == FileType::other);
    CHECK(inspect("/dev/null")->type == FileType::other);
  }

  TEST_CASE("hard links have the same identity and copies do not") {
    const TempDir dir;
    write_file(dir.path("a"), "x");
    fs::create_hard_link(dir.path("a"), dir.path("b"));
    fs::copy_file(dir.path("a"), dir.path("c"));
    CHECK(inspect(dir.path("a"))->identity == inspect(dir.path("b"))->identity);
    CHECK_FALSE(inspect(dir.path("a"))->identity == inspect(dir.path("c"))->identity);
  }

  TEST_CASE("inspect reports write permission for group and others") {
    const TempDir dir;
    const std::string path = dir.path("file");
    write_file(path, "");
    ::chmod(path.c_str(), 0644);
    CHECK_FALSE(inspect(path)->writable_by_others);
    ::chmod(path.c_str(), 0620);
    CHECK(inspect(path)->writable_by_others);
    ::chmod(path.c_str(), 0602);
    CHECK(inspect(path)->writable_by_others);
  }

  TEST_CASE("inspect reports another owner") {
    const TempDir dir;
    write_file(dir.path("file"), "");
    CHECK(inspect(dir.path("file"))->owned_by_us);
    CHECK(inspect("/")->owned_by_us == is_root());
    if (!is_root()) {
      MESSAGE("skipped: only root can change the owner of a file");
      return;
    }
    REQUIRE(::chown(dir.path("file").c_str(), 12345, 12345) == 0);
    CHECK_FALSE(inspect(dir.path("file"))->owned_by_us);
  }

  TEST_CASE("create_private_file creates an empty file with mode 0600 under any umask") {
    const TempDir dir;
    for (const mode_t mask : {0000U, 0022U, 0777U}) {
      const std::string path = dir.path("file" + std::to_string(mask));
      const mode_t before = ::umask(mask);
      const auto created = create_private_file(path);
      ::umask(before);
      REQUIRE(created);
      CHECK(mode_of(path) == 0600);
      CHECK(inspect(path)->bytes == 0);
    }
  }

  TEST_CASE("create_private_file replaces no file and follows no link") {
    const TempDir dir;
    write_file(dir.path("file"), "mine");
    fs::create_symlink(dir.path("elsewhere"), dir.path("dangling"));
    CHECK_FALSE(create_private_file(dir.path("file")));
    CHECK(read_file(dir.path("file")) == "mine");
    CHECK_FALSE(create_private_file(dir.path("dangling")));
    CHECK_FALSE(exists(dir.path("elsewhere")));
  }

  TEST_CASE("create_private_file names the path when the parent directory is missing") {
    const TempDir dir;
    const auto created = create_private_file(dir.path("no/such/file"));
    REQUIRE_FALSE(created);
    CHECK(created.failure().kind == FailureKind::unavailable);
    CHECK(created.failure().what.find(dir.path("no/such/file")) != std::string::npos);
  }

  TEST_CASE("create_private_file names the path when the directory is not writable") {
    const TempDir dir;
    ::chmod(dir.path().c_str(), 0555);
    const ChildEnd end = in_child([&]() -> std::string {
      drop_privileges();
      const auto created = create_private_file(dir.path("file"));
      return created ? "created" : created.failure().what;
    });
    ::chmod(dir.path().c_str(), 0755);
    CHECK(end.said == "cannot create '" + dir.path("file") + "': Permission denied");
  }

  TEST_CASE("real_folder resolves links and names a folder that is missing") {
    const TempDir dir;
    fs::create_directory(dir.path("folder"));
    fs::create_symlink("folder", dir.path("link"));
    const auto found = real_folder(dir.path("link"));
    REQUIRE(found);
    CHECK(*found == fs::canonical(dir.path("folder")).string());
    const auto missing = real_folder(dir.path("missing"));
    REQUIRE_FALSE(missing);
    CHECK(missing.failure().kind == FailureKind::unavailable);
    CHECK(missing.failure().what.find(dir.path("missing")) != std::string::npos);
  }

  TEST_CASE("names_in lists a folder and names one that is missing") {
    const TempDir dir;
    write_file(dir.path("a"), "");
    write_file(dir.path(".b"), "");
    const auto names = names_in(dir.path());
    REQUIRE(names);
    CHECK(std::count(names->begin(), names->end(), "a") == 1);
    CHECK(std::count(names->begin(), names->end(), ".b") == 1);
    const auto missing = names_in(dir.path("missing"));
    REQUIRE_FALSE(missing);
    CHECK(missing.failure().what.find(dir.path("missing")) != std::string::npos);
  }

  TEST_CASE("free_bytes_beside returns the free space and fails for a missing folder") {
    const TempDir dir;
    const auto bytes = free_bytes_beside(dir.path("x"));
    REQUIRE(bytes);
    CHECK(*bytes >= 0);
    CHECK(free_bytes_beside("x"));  // in the current folder
    CHECK_FALSE(free_bytes_beside(dir.path("missing/x")));
  }

  TEST_CASE("read_start returns at most 100 bytes of a file") {
    const TempDir dir;
    write_file(dir.path("short"), std::string("ab\0c", 4));
    write_file(dir.path("long"), std::string(5'000, 'x'));
    CHECK(read_start(dir.path("short")).value() == std::string("ab\0c", 4));
    CHECK(read_start(dir.path("long")).value() == std::string(100, 'x'));
    CHECK_FALSE(read_start(dir.path("nothing")));
  }

  TEST_CASE("read_start follows no link") {
    const TempDir dir;
    write_file(dir.path("file"), "secret");
    fs::create_symlink("file", dir.path("link"));
    CHECK_FALSE(read_start(dir.path("link")));
  }

  TEST_CASE("make_private removes all permissions except the owner's") {
    const TempDir dir;
    write_file(dir.path("file"), "");
    ::chmod(dir.path("file").c_str(), 0664);
    REQUIRE(make_private(dir.path("file")));
    CHECK(mode_of(dir.path("file")) == 0600);
  }

  TEST_CASE("rename_file replaces no file") {
    const TempDir dir;
    write_file(dir.path("a"), "a");
    write_file(dir.path("b"), "b");
    CHECK_FALSE(rename_file(dir.path("a"), dir.path("b")));
    CHECK(read_file(dir.path("a")) == "a");
    CHECK(read_file(dir.path("b")) == "b");
    REQUIRE(rename_file(dir.path("a"), dir.path("c")));
    CHECK_FALSE(exists(dir.path("a")));
    CHECK(read_file(dir.path("c")) == "a");
  }

  TEST_CASE("remove_file succeeds for a missing file and fails for a directory") {
    const TempDir dir;
    fs::create_directory(dir.path("directory"));
    write_file(dir.path("file"), "");
    CHECK(remove_file(dir.path("file")));
    CHECK(remove_file(dir.path("file")));
    CHECK_FALSE(remove_file(dir.path("directory")));
  }

  TEST_CASE("a file lock keeps other processes out until it is released") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    auto lock = FileLock::acquire(path, kMagic);
    REQUIRE(lock);
    CHECK(lock_in_child(path) == "busy");
    lock->reset();
    CHECK(lock_in_child(path) == "taken");
  }

  TEST_CASE("a lock file contains its magic line, has mode 0600 and remains after release") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    {
      const auto lock = FileLock::acquire(path, kMagic);
      REQUIRE(lock);
      CHECK_FALSE(lock.value()->was_ours());
    }
    CHECK(read_file(path) == kMagic);
    CHECK(mode_of(path) == 0600);
    const auto again = FileLock::acquire(path, kMagic);
    REQUIRE(again);
    CHECK(again.value()->was_ours());
  }

  TEST_CASE("the lock of a killed process can be acquired again") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    Child holder([&](Child::Parent& parent) -> std::string {
      const auto lock = FileLock::acquire(path, kMagic);
      parent.notify();
      parent.wait_for();
      return lock ? "held" : lock.failure().what;
    });
    REQUIRE(holder.wait_for());
    const auto busy = FileLock::acquire(path, kMagic);
    REQUIRE_FALSE(busy);
    CHECK(busy.failure().kind == FailureKind::busy);
    holder.kill();
    CHECK(FileLock::acquire(path, kMagic));
  }

  TEST_CASE("a forked child neither holds nor releases the lock of its parent") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    auto lock = FileLock::acquire(path, kMagic);
    REQUIRE(lock);
    Child child([&](Child::Parent& parent) -> std::string {
      lock->reset();  // closes its copy of the descriptor
      parent.notify();
      parent.wait_for();
      return "";
    });
    REQUIRE(child.wait_for());
    CHECK(lock_in_child(path) == "busy");
    lock->reset();
    CHECK(lock_in_child(path) == "taken");
  }

  TEST_CASE("a lock ends with its process even if a forked child still runs") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    LivingChildren children;
    Child holder([&](Child::Parent& parent) -> std::string {
      const auto lock = FileLock::acquire(path, kMagic);
      children.fork_one();
      parent.notify();
      parent.wait_for();
      return lock ? "held" : lock.failure().what;
    });
    REQUIRE(holder.wait_for());
    CHECK(lock_in_child(path) == "busy");
    holder.kill();
    CHECK(lock_in_child(path) == "taken");
  }

  TEST_CASE("a forked child never keeps a lock, whenever the fork happens") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    LivingChildren children;
    Child holder([&](Child::Parent& parent) -> std::string {
      std::atomic<bool> forked_all{false};
      std::thread forking([&] {
        for (int i = 0; i < 30; ++i) children.fork_one();
        forked_all = true;
      });
      // Each lock may have been inherited, and only the last one is still held at the end.
      Result<std::unique_ptr<FileLock>> lock = FileLock::acquire(path, kMagic);
      while (lock && !forked_all) {
        lock->reset();
        lock = FileLock::acquire(path, kMagic);
      }
      forking.join();
      parent.notify();
      parent.wait_for();
      return lock ? "held" : lock.failure().what;
    });
    REQUIRE(holder.wait_for());
    CHECK(lock_in_child(path) == "busy");
    holder.kill();
    CHECK(lock_in_child(path) == "taken");
  }

  TEST_CASE("a lock remains when the program opens and closes the lock file") {
    if (!has_locks_of_open_files()) {
      MESSAGE("this system has no locks of open files: skipped");
      return;
    }
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    auto lock = FileLock::acquire(path, kMagic);
    REQUIRE(lock);
    CHECK(read_file(path) == kMagic);
    CHECK(lock_in_child(path) == "busy");
    const auto second = FileLock::acquire(path, kMagic);
    REQUIRE_FALSE(second);
    CHECK(second.failure().kind == FailureKind::busy);
    CHECK(lock_in_child(path) == "busy");
    lock->reset();
    CHECK(lock_in_child(path) == "taken");
  }

  TEST_CASE("a shared lock prevents exclusive locks, also of this process, until it ends") {
    const TempDir dir;
    const std::string path = dir.path("x");
    write_file(path, "content");
    using Mode = RangeLock::Mode;
    using Outcome = RangeLock::Outcome;
    auto shared = RangeLock::open(path, Mode::shared);
    REQUIRE(shared);
    if (*shared == nullptr) {
      MESSAGE("this system has no locks of open files: skipped");
      return;
    }
    CHECK(can_lock_exclusively(path, 100));
    REQUIRE(shared.value()->lock(Mode::shared, 100, 10) == Outcome::locked);
    CHECK_FALSE(can_lock_exclusively(path, 100));
    CHECK(can_lock_exclusively(path, 110));
    const ChildEnd end = in_child([&] {
      shared->reset();  // closes the child's copy, which ends no lock of the parent
      return std::string(can_lock_exclusively(path, 100) ? "not locked" : "locked");
    });
    CHECK(end.said == "locked");
    CHECK_FALSE(can_lock_exclusively(path, 100));
    auto second = RangeLock::open(path, Mode::exclusive);
    CHECK(second.value()->lock(Mode::exclusive, 100, 10) == Outcome::refused);
    CHECK(second.value()->lock(Mode::shared, 100, 10) == Outcome::locked);
    shared.value()->unlock();
    CHECK_FALSE(can_lock_exclusively(path, 100));
    second->reset();
    CHECK(can_lock_exclusively(path, 100));
  }

  TEST_CASE("an exclusive lock of a range prevents all other locks until its owner ends it") {
    if (!has_locks_of_open_files()) {
      MESSAGE("this system has no locks of open files: skipped");
      return;
    }
    const TempDir dir;
    const std::string path = dir.path("x");
    write_file(path, "content");
    using Mode = RangeLock::Mode;
    using Outcome = RangeLock::Outcome;
    auto exclusive = RangeLock::open(path, Mode::exclusive);
    auto shared = RangeLock::open(path, Mode::shared);
    CHECK(shared.value()->lock(Mode::exclusive, 100, 10) == Outcome::impossible);
    REQUIRE(exclusive.value()->lock(Mode::exclusive, 100, 10) == Outcome::locked);
    CHECK(shared.value()->lock(Mode::shared, 100, 10) == Outcome::refused);
    CHECK_FALSE(can_lock_exclusively(path, 100));
    Child child([&](Child::Parent& parent) -> std::string {
      parent.notify();
      parent.wait_for();
      return "";
    });
    REQUIRE(child.wait_for());
    exclusive.value()->unlock();
    CHECK(can_lock_exclusively(path, 100));
    REQUIRE(exclusive.value()->lock(Mode::exclusive, 100, 10) == Outcome::locked);
    exclusive->reset();
    CHECK(can_lock_exclusively(path, 100));  // the child has no copy of the descriptor
    child.notify();
    CHECK(child.wait_for_end().exit_code == 0);
  }

  TEST_CASE("a lock file never uses the descriptor of a closed standard stream") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    const ChildEnd end = in_child([&]() -> std::string {
      for (const int stream : {0, 1, 2}) ::close(stream);
      const auto lock = FileLock::acquire(path, kMagic);
      if (!lock) return lock.failure().what;
      for (const int stream : {0, 1, 2}) {
        if (::fcntl(stream, F_GETFD) != -1) return "a standard stream is open";
      }
      return "no standard stream is open";
    });
    CHECK(end.said == "no standard stream is open");
  }

  TEST_CASE("a program started while a lock is held does not inherit the lock") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    auto lock = FileLock::acquire(path, kMagic);
    REQUIRE(lock);
    const ChildEnd end = run_program({"ls", "-l", "/proc/self/fd"});
    CHECK(end.said.find("x-lock") == std::string::npos);
  }

  TEST_CASE("acquire completes a lock file whose creation was interrupted") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    for (const std::string_view part : {kMagic.substr(0, 0), kMagic.substr(0, 4)}) {
      write_file(path, part);
      const auto lock = FileLock::acquire(path, kMagic);
      REQUIRE(lock);
      CHECK_FALSE(lock.value()->was_ours());
      CHECK(read_file(path) == kMagic);
    }
  }

  TEST_CASE("acquire refuses a file that is not a lock file and does not change it") {
    const TempDir dir;
    const std::string path = dir.path("x-lock");
    write_file(path, "my notes");
    const auto lock = FileLock::acquire(path, kMagic);
    REQUIRE_FALSE(lock);
    CHECK(lock.failure().kind == FailureKind::not_ours);
    CHECK(lock.failure().what.find(path) != std::string::npos);
    CHECK(read_file(path) == "my notes");
  }

  TEST_CASE("acquire refuses a FIFO or a link without blocking") {
    const TempDir dir;
    REQUIRE(::mkfifo(dir.path("fifo").c_str(), 0600) == 0);
    fs::create_symlink(dir.path("elsewhere"), dir.path("link"));
    CHECK_FALSE(FileLock::acquire(dir.path("fifo"), kMagic));
    CHECK_FALSE(FileLock::acquire(dir.path("link"), kMagic));
    CHECK_FALSE(exists(dir.path("elsewhere")));
  }

  TEST_CASE("ProcessMark detects a fork only if it was made before the fork") {
    const ProcessMark mark;
    const ChildEnd end = in_child([&]() -> std::string {
      const ProcessMark own;
      const std::string child =
          mark.is_forked_child() && !own.is_forked_child() ? "right, " : "wrong, ";
      return child + in_child([&]() -> std::string {
                       return own.is_forked_child() && mark.is_forked_child() ? "right" : "wrong";
                     }).said;
    });
    CHECK(end.said == "right, right");
    CHECK_FALSE(mark.is_forked_child());
  }

  TEST_CASE("zeroed memory gets a page when it is written, also after others used such memory") {
    constexpr std::size_t kBytes = 24 << 20;
    for (int round = 0; round < 4; ++round) {
      const ZeroedMemory memory(kBytes);
      REQUIRE(memory.get() != nullptr);
      CHECK(provided_pages(memory.get(), kBytes) == 0);
      const std::span<char> bytes(static_cast<char*>(memory.get()), kBytes);
      CHECK(std::count(bytes.begin(), bytes.end(), '\0') == kBytes);
      std::fill(bytes.begin(), bytes.end(), 'x');
      CHECK(provided_pages(memory.get(), kBytes) > 0);
    }
  }

  TEST_CASE("zeroed memory of a size that no system has is null") {
    for (const std::int64_t bytes : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 62,
                                     std::numeric_limits<std::int64_t>::max()}) {
      CHECK(ZeroedMemory(bytes).get() == nullptr);
    }
  }

  TEST_CASE("the coarse clock is never ahead of the exact clock and only slightly behind it") {
    const auto exact = ashmemo::system_clock();
    for (int i = 0; i < 1'000; ++i) {
      const std::int64_t before = exact->wall_now();
      const std::int64_t coarse = coarse_wall_now();
      CHECK(coarse <= exact->wall_now());
      CHECK(coarse > before - ashmemo::engine::CoarseClock::kMaxBehind);
    }
  }
}
