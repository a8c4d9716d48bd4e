#include "base/mutex.hpp"

#include <doctest/doctest.h>
#include <pthread.h>

#include <chrono>
#include <thread>

#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

using ashmemo::base::Condition;
using ashmemo::base::Lock;
using ashmemo::base::Mutex;

namespace {

/// Its destructor sees whether the mutex is locked.
struct Probe {
  explicit Probe(Mutex& probed, bool& result) : mutex(probed), is_locked(result) {}
  ~Probe() {
    std::thread([this] {
      is_locked = true;
      if (!mutex.try_lock()) return;
      is_locked = false;
      mutex.unlock();
    }).join();
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  Mutex& mutex;
  bool& is_locked;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a thread that is cancelled while it waits unlocks its mutex once") {
    const ashmemo::test::Watchdog watchdog("a wait that is cancelled");
    for (const bool has_limit : {false, true}) {
      INFO(has_limit);
      Mutex mutex;
      Condition condition;
      ashmemo::test::Events events;
      bool is_locked = false;
      std::thread waits([&] {
        const Lock lock(mutex);
        const Probe probe(mutex, is_locked);  // destroyed while `lock` exists
        events.happened("locked");
        while (true) {
          if (has_limit) {
            condition.wait_for(mutex, std::chrono::hours(1));
          } else {
            condition.wait(mutex);
          }
        }
      });
      events.wait_for("locked");
      { const Lock lock(mutex); }  // from here on the thread waits
      REQUIRE(::pthread_cancel(waits.native_handle()) == 0);
      waits.join();
      CHECK(is_locked);
    }
  }
}
