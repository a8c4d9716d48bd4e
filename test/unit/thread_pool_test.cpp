#include "base/thread_pool.hpp"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include <doctest/doctest.h>

#include "support/allocations.hpp"
#include "support/rendezvous.hpp"
#include "support/sanitized.hpp"
#include "support/watchdog.hpp"

using ashmemo::base::ThreadPool;
using ashmemo::test::AtTestPoints;
using ashmemo::test::Events;
using namespace std::chrono_literals;

TEST_SUITE("unit") {
  TEST_CASE("a pool runs a task on another thread while one task hangs") {
    const ashmemo::test::Watchdog watchdog("a pool with a task that hangs");
    Events events;
    ThreadPool pool(2);
    pool.post([&] { events.wait_for("released"); });
    for (int i = 0; i < 10; ++i) pool.post([&] { events.happened("ran"); });
    events.wait_for("ran", 10);
    events.happened("released");
  }

  // ThreadSanitizer does not let the last thread of a forked child end. AddressSanitizer then
  // reports the memory of the parent's threads.
  TEST_CASE("a child that a task has forked ends when the task returns" *
            doctest::skip(ashmemo::test::kIsSanitized)) {
    Events events;
    ThreadPool pool(1);
    int status = -1;
    pool.post([&] {
      const pid_t child = ::fork();
      if (child == 0) {
        sigset_t all;
        sigfillset(&all);
        (void)::pthread_sigmask(SIG_UNBLOCK, &all, nullptr);
        ::alarm(20);  // ends a child that hangs
        return;
      }
      (void)::waitpid(child, &status, 0);
      events.happened("the child ended");
    });
    events.wait_for("the child ended");
    CHECK(WIFEXITED(status));
  }

  TEST_CASE("a pool that runs out of memory loses no thread") {
    bool failed = true;
    for (std::int64_t before = 0; failed; ++before) {
      CAPTURE(before);
      Events events;
      ThreadPool pool(2);
      {
        const ashmemo::test::FailingAllocation failing(before);
        try {
          pool.post([&events] { events.happened("ran"); });
        } catch (const std::exception&) {  // no memory
        }
        failed = failing.has_failed();
      }
      pool.post([&events] { events.happened("last"); });
      events.wait_for("last");
    }
  }

  TEST_CASE("a pool has at most the given number of threads") {
    const ashmemo::test::Watchdog watchdog("the threads of a pool");
    Events events;
    std::mutex mutex;
    std::set<std::thread::id> threads;
    ThreadPool pool(3);
    for (int i = 0; i < 30; ++i) {
      pool.post([&] {
        {
          const std::lock_guard lock(mutex);
          threads.insert(std::this_thread::get_id());
        }
        events.happened("ran");
        events.wait_for("ran", 3);  // so that three threads are needed
      });
    }
    events.wait_for("ran", 30);
    CHECK(threads.size() == 3);
  }

  TEST_CASE("stopping a pool waits for a running task and drops the others") {
    Events events;
    std::atomic<int> ran{0};
    ThreadPool pool(1);
    pool.post([&] {
      events.happened("begins");
      events.wait_for("dropped");
      ++ran;
    });
    const auto drop = [&events](int*) { events.happened("dropped"); };
    pool.post([&ran, waiting = std::shared_ptr<int>(nullptr, drop)] { ++ran; });
    events.wait_for("begins");
    CHECK(pool.stop(std::chrono::microseconds::max()));  // a time that never comes
    CHECK(ran == 1);
    pool.post([&] { ++ran; });
    CHECK(ran == 1);
  }

  TEST_CASE("stopping a pool leaves a task that hangs alone after the given time") {
    const ashmemo::test::Watchdog watchdog("stopping a pool with a task that hangs");
    const auto events = std::make_shared<Events>();
    {
      ThreadPool pool(2);
      pool.post([events] {
        events->happened("begins");
        events->wait_for("released");
        events->happened("ended");
      });
      events->wait_for("begins");
      CHECK_FALSE(pool.stop(1us));
    }
    events->happened("released");
    events->wait_for("ended");
  }

  TEST_CASE("a task that stops its pool does not wait for itself") {
    const ashmemo::test::Watchdog watchdog("a task that stops its pool");
    Events events;
    auto pool = std::make_shared<ThreadPool>(2);
    std::atomic<bool> stopped{false};
    pool->post([&] {
      stopped = pool->stop(1h);
      events.happened("ended");
    });
    events.wait_for("ended");
    CHECK(stopped);
  }

  TEST_CASE("a pool goes on with its threads if the system has no more of them") {
    const ashmemo::test::Watchdog watchdog("a pool without a second thread");
    Events events;
    int starts = 0;
    const AtTestPoints points([&](std::string_view point) {
      if (point != "system: starts a thread" || ++starts == 2) return;
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    });
    ThreadPool pool(4);
    const auto task = [&] { events.happened("ran"); };
    CHECK_THROWS_AS(pool.post(task), std::runtime_error);
    pool.post([&] { events.wait_for("posted"); });
    pool.post(task);
    events.happened("posted");
    events.wait_for("ran");
    CHECK(starts == 3);
  }
}
