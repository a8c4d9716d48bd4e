#include <doctest/doctest.h>
#include <sqlite3.h>

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "store/open_files.hpp"
#include "support/child.hpp"
#include "support/rendezvous.hpp"

using namespace ashmemo;
using namespace ashmemo::test;

namespace {

std::atomic<bool> fork_has_begun{false};

/// Forks while another thread has a mutex, which it unlocks some time after the fork has begun.
/// Returns what `look` returns in the child.
std::string fork_beside(const std::function<void()>& lock, const std::function<void()>& unlock,
                        const std::function<bool()>& look) {
  (void)store::OpenFiles::of_this_process();  // registers the handlers of forks
  // This handler is registered later, so it runs before the one of the library.
  [[maybe_unused]] static const bool watches = [] {
    base::at_fork([] { fork_has_begun = true; }, [] {});
    return true;
  }();
  fork_has_begun = false;
  Events events;
  std::thread other([&] {
    lock();
    events.happened("locked");
    while (!fork_has_begun) std::this_thread::yield();
    for (int i = 0; i < 20; ++i) std::this_thread::yield();
    unlock();
  });
  events.wait_for("locked");
  const ChildEnd end = in_child([&] { return look() ? "free" : "locked"; });
  other.join();
  return end.said;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a forked child inherits no mutex of SQLite that another thread has locked") {
    for (const int kind :
         {SQLITE_MUTEX_STATIC_MAIN, SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_VFS1,
          SQLITE_MUTEX_STATIC_LRU, SQLITE_MUTEX_STATIC_PMEM, SQLITE_MUTEX_STATIC_PRNG,
          SQLITE_MUTEX_STATIC_MEM}) {
      INFO(kind);
      sqlite3_mutex* const mutex = sqlite3_mutex_alloc(kind);
      const auto is_free = [&] { return sqlite3_mutex_try(mutex) == SQLITE_OK; };
      const std::string said = fork_beside([&] { sqlite3_mutex_enter(mutex); },
                                           [&] { sqlite3_mutex_leave(mutex); }, is_free);
      CHECK(said == "free");
      CHECK(is_free());  // the parent has unlocked it
      sqlite3_mutex_leave(mutex);
    }
  }

  TEST_CASE("a forked child does not inherit the table of open files locked") {
    base::Mutex& mutex = store::OpenFiles::of_this_process().mutex;
    // Clang cannot follow a mutex that one function locks and another one unlocks.
    const auto lock_it = [&]() ASHMEMO_THREAD(no_thread_safety_analysis) { mutex.lock(); };
    const auto unlock_it = [&]() ASHMEMO_THREAD(no_thread_safety_analysis) { mutex.unlock(); };
    const auto is_free = [&]()
                             ASHMEMO_THREAD(no_thread_safety_analysis) { return mutex.try_lock(); };
    CHECK(fork_beside(lock_it, unlock_it, is_free) == "free");
    const base::Lock lock(mutex);
  }

  TEST_CASE("a fork goes on if a mutex of SQLite stays locked") {
    (void)store::OpenFiles::of_this_process();
    sqlite3_mutex* const mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_VFS1);
    sqlite3_mutex_enter(mutex);
    CHECK(in_child([] { return "forked"; }).said == "forked");
    sqlite3_mutex_leave(mutex);
  }
}
