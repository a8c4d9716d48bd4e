#include "store/forks.hpp"

#include <sqlite3.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <thread>

#include "base/platform.hpp"
#include "store/open_files.hpp"

namespace ashmemo::store {
namespace {

// SQLite locks them in this order. No connection of ours has a mutex of its own.
constexpr std::array kKinds{SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_MAIN,
                            SQLITE_MUTEX_STATIC_VFS1, SQLITE_MUTEX_STATIC_LRU,
                            SQLITE_MUTEX_STATIC_PMEM, SQLITE_MUTEX_STATIC_PRNG,
                            SQLITE_MUTEX_STATIC_MEM};

// SQLite holds most of them for a microsecond, but STATIC_VFS1 also while it opens or closes a file.
// If a network drive does not answer there, the fork goes on without that mutex.
constexpr std::chrono::seconds kMaxWait{1};
constexpr std::chrono::microseconds kPause{100};

using Mutexes = std::array<sqlite3_mutex*, kKinds.size()>;

// Null pointers if SQLite has no mutexes. SQLite's functions ignore these.
const Mutexes& mutexes() {
  static const Mutexes all = [] {
    Mutexes made{};
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = sqlite3_mutex_alloc(kKinds[i]);
    return made;
  }();
  return all;
}

// What this thread locked for its fork.
thread_local std::array<bool, kKinds.size()> locked{};

void lock_sqlite() {
  const auto deadline = std::chrono::steady_clock::now() + kMaxWait;
  for (std::size_t i = 0; i < locked.size(); ++i) {
    while (true) {
      locked[i] = sqlite3_mutex_try(mutexes()[i]) == SQLITE_OK;
      if (locked[i] || std::chrono::steady_clock::now() >= deadline) break;
      std::this_thread::sleep_for(kPause);
    }
  }
}

void unlock_sqlite() {
  for (std::size_t i = locked.size(); i-- > 0;) {
    if (locked[i]) sqlite3_mutex_leave(mutexes()[i]);
  }
}

void before_fork() ASHMEMO_THREAD(no_thread_safety_analysis) {
  OpenFiles::of_this_process().mutex.lock();
  lock_sqlite();
}

void after_fork() ASHMEMO_THREAD(no_thread_safety_analysis) {
  unlock_sqlite();
  OpenFiles::of_this_process().mutex.unlock();
}

}  // namespace

void guard_forks() {
  (void)mutexes();
  base::at_fork(before_fork, after_fork);
}

}  // namespace ashmemo::store
