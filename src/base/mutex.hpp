#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

// Clang checks the locking of annotated types only, and libstdc++'s std::mutex is not annotated.
// These wrappers are annotated. Other compilers see plain standard mutexes. `-Wthread-safety` then
// proves that a field marked GUARDED_BY is only touched while its mutex is held.

#if defined(__clang__)
#define ASHMEMO_THREAD(x) __attribute__((x))
#else
#define ASHMEMO_THREAD(x)
#endif

// The ThreadSanitizer of GCC 12 does not know the system call for waits on the steady clock and
// assumes that the mutex is held during the wait. So builds with ThreadSanitizer use the wall
// clock.
#if defined(__SANITIZE_THREAD__)
#define ASHMEMO_WAITS_BY_WALL_CLOCK
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ASHMEMO_WAITS_BY_WALL_CLOCK
#endif
#endif

#define ASHMEMO_GUARDED_BY(m) ASHMEMO_THREAD(guarded_by(m))
#define ASHMEMO_REQUIRES(...) ASHMEMO_THREAD(requires_capability(__VA_ARGS__))
#define ASHMEMO_EXCLUDES(...) ASHMEMO_THREAD(locks_excluded(__VA_ARGS__))
// A mutex of this level of the lock order. engine/engine.hpp has the order.
#define ASHMEMO_LOCK_LEVEL(n)                                          \
  ASHMEMO_THREAD(acquired_after(::ashmemo::base::LockLevel<n>::begin)) \
  ASHMEMO_THREAD(acquired_before(::ashmemo::base::LockLevel<(n) + 1>::begin))

namespace ashmemo::base {

class ASHMEMO_THREAD(capability("mutex")) Mutex {
 public:
  void lock() ASHMEMO_THREAD(acquire_capability()) { mutex_.lock(); }
  void unlock() ASHMEMO_THREAD(release_capability()) { mutex_.unlock(); }
  bool try_lock() ASHMEMO_THREAD(try_acquire_capability(true)) { return mutex_.try_lock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

/// The border at which a level of the lock order begins. No thread locks it. Mutexes name borders
/// because classes of different folders cannot name each other's mutexes.
///
/// With `-Wthread-safety-beta`, Clang reports a function that locks a mutex while it holds one with
/// a larger level: by a Lock in the same function, or by ASHMEMO_REQUIRES. It does not look into
/// called functions. ThreadSanitizer reports these when a test runs both orders.
class ASHMEMO_THREAD(capability("border of a lock level")) LockBorder {};

template <int level>
struct LockLevel {
  static inline LockBorder begin ASHMEMO_THREAD(acquired_after(LockLevel<level - 1>::begin));
};
template <>
struct LockLevel<1> {
  static inline LockBorder begin;
};

/// A tag: the mutex is already locked, by try_lock.
struct Locked {};

class ASHMEMO_THREAD(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) ASHMEMO_THREAD(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  Lock(Mutex& mutex, Locked) ASHMEMO_REQUIRES(mutex) : mutex_(mutex) {}
  ~Lock() ASHMEMO_THREAD(release_capability()) { mutex_.unlock(); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  Mutex& mutex_;
};

/// A condition variable for Mutex. Waits may wake spuriously: loop around them.
class Condition {
 public:
  void notify_all() noexcept { condition_.notify_all(); }
  void notify_one() noexcept { condition_.notify_one(); }

  void wait(Mutex& mutex) ASHMEMO_REQUIRES(mutex) {
    Held held(mutex);
    condition_.wait(held.lock);
  }

  /// Uses the steady clock, so that setting the wall clock does not change a wait. Returns after an
  /// hour at the latest, because the standard library overflows with very long waits.
  void wait_for(Mutex& mutex, std::chrono::microseconds at_most) ASHMEMO_REQUIRES(mutex) {
    at_most = std::min(at_most, std::chrono::microseconds(std::chrono::hours(1)));
    Held held(mutex);
#if defined(ASHMEMO_WAITS_BY_WALL_CLOCK)
    condition_.wait_until(held.lock, std::chrono::system_clock::now() + at_most);
#else
    condition_.wait_for(held.lock, at_most);
#endif
  }

 private:
  /// The caller's lock during a wait. The destructor does not unlock it, because the caller's Lock
  /// does, also in a thread that is cancelled during the wait.
  struct Held {
    explicit Held(Mutex& mutex) : lock(mutex.mutex_, std::adopt_lock) {}
    ~Held() { lock.release(); }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;

    std::unique_lock<std::mutex> lock;
  };

  std::condition_variable condition_;
};

}  // namespace ashmemo::base
