#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// The worker without its thread.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

namespace {

using Keys = std::vector<std::string>;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the worker in manual mode writes nothing until a caller runs it") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    REQUIRE(fake.worker.start().ok());
    fake.put("a", "1");
    fake.worker.wake();
    fake.worker.wake_now();
    CHECK_FALSE(fake.file->has("a"));
    CHECK_FALSE(fake.worker.run(1'000));
    CHECK(fake.file->has("a"));
  }

  TEST_CASE("run with a budget of 0 does a bounded piece of work") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all(test::numbered("k", 2'500), "v");
    CHECK(fake.worker.run(0));
    CHECK(fake.engine.entries == 1'000);
    int runs = 0;
    while (fake.worker.run(0)) REQUIRE(++runs < 10);
    CHECK(fake.engine.entries == 2'500);
  }

  TEST_CASE("run ends with any budget even if the clock does not advance") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all(test::numbered("k", 3'500), "v");
    CHECK_FALSE(fake.worker.run(INT64_MAX));
    CHECK(fake.engine.entries == 3'500);
    CHECK_FALSE(fake.worker.run(-5));
  }

  TEST_CASE("run_pending_now runs on the calling thread only in manual mode") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    CHECK(fake.worker.run_pending_now());
    CHECK(fake.file->has("a"));

    Options options = FakeEngine::manual();
    options.hooks.worker = WorkerMode::thread;
    FakeEngine threaded(options);
    REQUIRE(threaded.open().ok());
    REQUIRE(threaded.worker.start().ok());
    CHECK_FALSE(threaded.worker.run_pending_now());
  }

  TEST_CASE("close writes all accepted puts, removals and touches") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put_all({"a", "b"}, "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a"));
    fake.put("c", "1");
    fake.queue_removal("b");
    fake.close();
    CHECK(fake.file->keys() == Keys{"a", "c"});
    CHECK(fake.file->row("a").access_count == 1);
    CHECK(fake.file->open_stores == 0);
    CHECK(fake.engine.counters.dropped.get() == 0);
    CHECK(fake.engine.pending.empty());
  }

  TEST_CASE("a second close does nothing") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.close();
    const int begun = fake.faults->calls(Call::begin);
    fake.worker.stop();
    fake.worker.stop();
    CHECK(fake.faults->calls(Call::begin) == begun);
  }

  TEST_CASE("close does nothing if the cache was never opened") {
    FakeEngine fake;
    fake.close();
    CHECK(fake.faults->calls(Call::begin) == 0);
  }

  TEST_CASE("close counts and reports lost writes if the file refuses them") {
    for (const FailureKind kind : {FailureKind::busy, FailureKind::io, FailureKind::corrupt}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      fake.put_all({"a", "b", "c"}, "1");
      fake.queue_removal("x");
      fake.faults->fail_always(Call::begin, kind);
      fake.close();
      CHECK(fake.engine.counters.dropped.get() == 3);
      CHECK(fake.recorded->count(NoticeKind::writes_dropped) == 1);
      CHECK(fake.engine.pending.empty());
      CHECK(fake.engine.pending.bytes() == 0);
      CHECK(fake.file->open_stores == 0);
    }
  }

  TEST_CASE("close repeats failed writes until close_wait ends") {
    Options options = FakeEngine::manual();
    options.timing.close_wait = std::chrono::seconds(60);
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    fake.faults->fail(Call::begin, FailureKind::busy, 1, 3);
    fake.close();
    CHECK(fake.file->has("a"));
    CHECK(fake.engine.counters.dropped.get() == 0);
  }

  TEST_CASE("the pause between two attempts grows while the store refuses to write") {
    constexpr std::int64_t kMillisecond = 1'000;
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    for (int times = 0; times < 2; ++times) {
      fake.put("a", "1");
      fake.faults->fail_always(Call::begin, FailureKind::io);
      for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(fake.worker.flush().ok());
        CHECK(fake.worker.begin_sleep(true) == 20 * kMillisecond);  // a caller may wait
      }
      fake.clock->advance(fake.engine.options.timing.max_wait);
      for (const std::int64_t length : {20, 40, 80, 160, 200, 200}) {
        CHECK(fake.worker.begin_sleep(true) == length * kMillisecond);
        CHECK_FALSE(fake.worker.flush().ok());
      }
      fake.faults->heal();
      CHECK(fake.worker.flush().ok());
      CHECK(fake.worker.begin_sleep(true) == 20 * kMillisecond);  // for more work
    }
  }

  TEST_CASE("an exception outside a transaction does not stop the worker") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    fake.file->wal_bytes = 5 * MiB;
    bool once = false;
    fake.faults->before(Call::checkpoint, [&once] {
      if (!std::exchange(once, true)) throw std::bad_alloc();
    });
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.worker_errors.get() == 1);
    CHECK(fake.recorded->count(NoticeKind::worker_failed) == 1);
    CHECK(fake.worker.flush().ok());
    CHECK_FALSE(fake.engine.pending.is_refusing());
    CHECK(fake.file->has("a"));
  }

  TEST_CASE("a removal returns even if the worker always throws") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.faults->before(Call::begin, [] { throw std::bad_alloc(); });
    CHECK(fake.erase("a") == 0);
    CHECK_FALSE(fake.get("a"));
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(fake.file->has("a"));
  }

  TEST_CASE("a flush writes everything even if the clock does not advance") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.clock->set_wall(-5'000'000);
    fake.put_all(test::numbered("k", 1'500), "v");
    for (const char* key : {"k0001", "k1500"}) CHECK(fake.get(key));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.entries == 1'500);
    CHECK(fake.get("k0001"));
    REQUIRE(fake.worker.compact().ok());
    CHECK(fake.get("k0001"));
  }

  TEST_CASE("totals are equal to a recount after any mixture of work and failures") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    std::vector<Call> calls{Call::begin, Call::put,        Call::delete_key,   Call::commit,
                            Call::touch, Call::delete_due, Call::delete_prefix};
    for (int i = 0; i < 140; ++i) {
      const std::string key = "k" + std::to_string(i % 17);
      fake.put(key, std::string(static_cast<std::size_t>(i), 'x'), {50, 50, 50});
      if (i % 5 == 0) {
        REQUIRE(fake.engine.pending.offer(test::removal(key), engine::Waited::yes).accepted);
      }
      if (i % 23 == 0) fake.queue_removal("k1");
      static_cast<void>(fake.get(key));
      fake.clock->advance(Duration::microseconds(3));
      fake.faults->fail(calls[static_cast<std::size_t>(i) % calls.size()], FailureKind::busy,
                        1 + i % 3);
      static_cast<void>(i % 3 == 0 ? fake.worker.flush().ok() : fake.worker.run(0));
      fake.faults->heal();
      CHECK(fake.file->state()->totals == fake.file->counted());
      if (!fake.worker.flush().ok()) continue;
      CHECK(fake.engine.entries == fake.file->counted().entries);
      CHECK(fake.engine.bytes == fake.file->counted().bytes);
    }
  }
}
