#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/error.hpp>

#include "store/byte_size.hpp"
#include "submit_fixture.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;
using test::with_small_queue;

namespace {

Options with(Durability durability) {
  Options options = FakeEngine::manual();
  options.durability = durability;
  return options;
}

const std::string kFillsTheQueue(60'000, 'x');

/// Runs `work` in a hook of another cache.
void in_a_hook(const std::function<void()>& work) {
  Options options = FakeEngine::manual();
  options.hooks.on_removal = [&work](const Removal&) { work(); };
  FakeEngine other(options, "other.db");
  REQUIRE(other.open().ok());
  other.put("k", "1");
  REQUIRE(other.worker.flush().ok());
  CHECK(other.erase("k") == 1);
}

/// Fills the queue and starts a thread that commits it after `event` has happened.
class FlushingThread {
 public:
  FlushingThread(FakeEngine& fake, test::Events& events, const std::string& event) : fake_(fake) {
    CHECK(fake.put("a", kFillsTheQueue) == 1);
    fake.faults->before(Call::begin, [&events, event] {
      events.happened("at work");
      events.wait_for(event);
    });
    thread_ = std::thread([&fake] { CHECK(fake.worker.flush().ok()); });
    events.wait_for("at work");
  }
  ~FlushingThread() {
    thread_.join();
    fake_.faults->heal();
  }
  FlushingThread(const FlushingThread&) = delete;
  FlushingThread& operator=(const FlushingThread&) = delete;

 private:
  FakeEngine& fake_;
  std::thread thread_;
};

std::int64_t size_of(std::string_view key, std::string_view value) {
  return store::byte_size(key, ValueView::text(value), {}, false);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a relaxed put is visible at once and stored by the next flush") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    CHECK(fake.put("a", "1") == 1);
    CHECK(fake.get("a") == "1");
    CHECK_FALSE(fake.file->has("a"));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->row("a").value.bytes() == "1");
    CHECK(fake.get("a") == "1");
    CHECK(fake.file->row("a").byte_size == size_of("a", "1"));
    CHECK(fake.file->state()->totals == fake.file->counted());
  }

  TEST_CASE("an overwrite changes the total bytes and not the number of entries") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.put("a", std::string(9'000, 'x'));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.entries == 1);
    CHECK(fake.engine.bytes == size_of("a", std::string(9'000, 'x')));
    CHECK(fake.engine.counters.replaced.get() == 1);
  }

  TEST_CASE("a put with commit durability is stored when it returns") {
    FakeEngine fake(with(Durability::commit));
    REQUIRE(fake.open().ok());
    CHECK(fake.put("a", "1") == 1);
    CHECK(fake.file->has("a"));
    CHECK(fake.put_all({"b", "c", "d"}, "2") == 3);
    CHECK(fake.file->keys() == std::vector<std::string>{"a", "b", "c", "d"});
  }

  TEST_CASE("an entry of max_entry_bytes is kept and a larger one is refused") {
    const std::string value(1'000, 'x');
    Options options = FakeEngine::manual();
    options.limits.max_entry_bytes = size_of("a", value);
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    CHECK(fake.put("a", value) == 1);
    options.limits.max_entry_bytes = size_of("a", value) - 1;
    fake.engine.limits.set(options.limits);
    CHECK(fake.put("a", value) == 0);
    CHECK(fake.engine.counters.refused.get() == 1);
    CHECK(fake.engine.counters.puts.get() == 2);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.recorded->count(NoticeKind::refused) == 1);
  }

  TEST_CASE("a put that is not kept removes the older value of its key") {
    for (const Durability durability : {Durability::relaxed, Durability::commit}) {
      for (const bool by_size : {true, false}) {
        Options options = with(durability);
        options.limits.max_entry_bytes = 500;
        FakeEngine fake(options);
        REQUIRE(fake.open().ok());
        CHECK(fake.put("a", "1") == 1);
        CHECK(fake.get("a") == "1");
        std::optional<Value> value;
        if (by_size) value = Value::text(std::string(1'000, 'x'));
        engine::NewEntry entry{"a", std::move(value), {}, 0, {}, 0};
        CHECK(engine::put(fake.engine, std::span(&entry, 1)) == 0);
        CHECK_FALSE(fake.get("a"));
        REQUIRE(fake.worker.flush().ok());
        CHECK_FALSE(fake.file->has("a"));
        CHECK(fake.engine.counters.replaced.get() == (durability == Durability::commit ? 1 : 0));
        CHECK(fake.engine.counters.erased.get() == 0);
        CHECK(fake.engine.counters.dropped.get() == 0);
        CHECK(fake.engine.counters.refused.get() == (by_size ? 1 : 0));
        CHECK(fake.engine.counters.puts.get() == (by_size ? 2 : 1));
      }
    }
  }

  TEST_CASE("a refused value that is replaced in the queue does not count as kept") {
    Options options = with(Durability::commit);
    options.limits.max_entry_bytes = 500;
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    std::vector<engine::NewEntry> entries;
    entries.push_back({"a", Value::text(std::string(1'000, 'x')), {}, 0, {}, 0});
    entries.push_back({"a", Value::text("1"), {}, 0, {}, 0});
    CHECK(engine::put(fake.engine, entries) == 1);
    CHECK(fake.get("a") == "1");
  }

  TEST_CASE("removals caused by refused values stay within the limit of the queue") {
    Options options = with_small_queue();
    options.limits.max_entry_bytes = 500;
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    std::vector<std::string> keys = test::numbered(std::string(900, 'k'), 200);
    CHECK(fake.put_all(keys, "v") == 0);
    CHECK(fake.engine.counters.refused.get() == 200);
    CHECK(fake.engine.pending.bytes() > 60 * KiB);
    CHECK(fake.engine.pending.bytes() <= 64 * KiB);
    CHECK(fake.engine.counters.dropped.get() > 100);
    for (const std::string& key : keys) CHECK(fake.erase(key) == 0);  // always accepted
    CHECK(fake.engine.pending.bytes() > 200 * KiB);
  }

  TEST_CASE("a put waits no longer than max_wait for another thread that runs maintenance") {
    const test::Watchdog watchdog("a put beside a flush");
    for (const bool hook : {false, true}) {
      CAPTURE(hook);
      Options options = with_small_queue();
      if (hook) options.hooks.worker = WorkerMode::thread;  // but no worker thread is started
      FakeEngine fake(options);
      REQUIRE(fake.open().ok());
      std::size_t taken = 99;
      const auto put = [&] { taken = fake.put("b", kFillsTheQueue); };
      {
        test::Events events;
        const FlushingThread flushing(fake, events, "put");
        hook ? in_a_hook(put) : put();
        events.happened("put");
      }
      CHECK(taken == 0);
      CHECK(fake.engine.counters.dropped.get() == 1);
      hook ? in_a_hook(put) : put();
      CHECK(taken == 1);
    }
  }

  TEST_CASE("a put uses the space that another thread frees by maintenance") {
    const test::Watchdog watchdog("a put beside a flush");
    Options options = with_small_queue();
    options.timing.max_wait = std::chrono::minutes(10);
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    test::Events events;
    const test::AtTestPoints points([&events](std::string_view point) {
      if (point == "change: queued") events.happened("a try");
      if (events.times("a try") == 3) events.happened("second try of b");
    });
    const FlushingThread flushing(fake, events, "second try of b");
    CHECK(fake.put("b", kFillsTheQueue) == 1);
    CHECK(fake.engine.counters.dropped.get() == 0);
  }

  TEST_CASE("a put with commit durability in a hook wakes the worker without waiting") {
    FakeEngine fake(with(Durability::commit));
    REQUIRE(fake.open().ok());
    test::NoWorker worker;
    worker.in_hook = true;
    fake.engine.worker = &worker;
    CHECK(fake.put("a", "1") == 0);
    CHECK(worker.wakes == 1);
    fake.engine.worker = &fake.worker;
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->has("a"));
  }

  TEST_CASE("a superseded result that is not kept removes nothing") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    CHECK(fake.put("a", "newer") == 1);
    engine::InFlight flight;
    flight.superseded = true;
    engine::NewEntry entry{"a", std::nullopt, {}, 0, {}, 0, true, &flight};
    CHECK(engine::put(fake.engine, std::span(&entry, 1)) == 0);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a") == "newer");
    CHECK(fake.engine.counters.superseded.get() == 1);
  }

  TEST_CASE("a limit of 0 refuses every put") {
    for (const bool by_entries : {true, false}) {
      Options options = FakeEngine::manual();
      (by_entries ? options.limits.max_entries : options.limits.max_bytes) = 0;
      FakeEngine fake(options);
      REQUIRE(fake.open().ok());
      CHECK(fake.put("a", "1") == 0);
      CHECK_FALSE(fake.get("a"));
      CHECK(fake.engine.counters.refused.get() == 1);
    }
  }

  TEST_CASE("puts without a store are dropped and counted at once") {
    FakeEngine fake;
    CHECK(fake.put_all({"a", "b"}, "1") == 0);
    CHECK(fake.engine.counters.dropped.get() == 2);
    CHECK(fake.engine.counters.puts.get() == 2);
  }

  TEST_CASE("puts and removals after close change nothing") {
    FakeEngine fake(with(Durability::commit));
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    fake.close();
    CHECK(fake.put("b", "1") == 0);
    CHECK(fake.erase("a") == 0);
    CHECK_FALSE(engine::run_range(fake.engine, std::make_shared<engine::Range>()));
    CHECK(fake.file->keys() == std::vector<std::string>{"a"});
  }

  TEST_CASE("a put stores nothing and a removal throws in a read-only cache") {
    Options options = FakeEngine::manual();
    options.access = Access::read_only;
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    CHECK(fake.put("a", "1") == 0);
    CHECK_THROWS_AS(fake.erase("a"), Error);
    CHECK_THROWS_AS(engine::run_range(fake.engine, std::make_shared<engine::Range>()), Error);
    CHECK(fake.engine.pending.empty());
  }

  TEST_CASE("a put in manual mode commits pending writes when the queue is full") {
    FakeEngine fake(with_small_queue());
    REQUIRE(fake.open().ok());
    const auto keys = test::numbered("k", 100);
    CHECK(fake.put_all(keys, std::string(4'000, 'x')) == 100);
    CHECK(fake.engine.counters.dropped.get() == 0);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys() == keys);
  }

  TEST_CASE("a put in manual mode is not dropped if max_wait is 0 and the store accepts writes") {
    Options options = with_small_queue();
    options.timing.max_wait = Duration();
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    CHECK(fake.put_all(test::numbered("k", 60), std::string(4'000, 'x')) == 60);
  }

  TEST_CASE("a full queue drops and counts puts while the store refuses writes") {
    FakeEngine fake(with_small_queue());
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    const std::size_t taken = fake.put_all(test::numbered("k", 40), std::string(4'000, 'x'));
    CHECK(taken > 10);
    CHECK(taken < 16);
    CHECK(fake.engine.counters.dropped.get() == 40 - static_cast<std::int64_t>(taken));
    CHECK(fake.engine.pending.bytes() <= 64 * KiB);
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys().size() == taken);
    CHECK(fake.recorded->count(NoticeKind::writes_dropped) == 1);
    CHECK(fake.recorded->count(NoticeKind::busy) == 1);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 1);
  }

  TEST_CASE("in manual mode one put a second tries a store that refused to free space") {
    FakeEngine fake(with_small_queue());
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    CHECK(fake.put("a", kFillsTheQueue) == 1);
    CHECK(fake.put("b", kFillsTheQueue) == 0);
    const int before = fake.faults->calls(Call::begin);
    for (int i = 0; i < 10; ++i) CHECK(fake.put("b", kFillsTheQueue) == 0);
    CHECK(fake.faults->calls(Call::begin) == before);
    fake.faults->heal();
    CHECK(fake.put("b", kFillsTheQueue) == 0);
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.put("b", kFillsTheQueue) == 1);
  }

  TEST_CASE("in manual mode one call a second waits for the end of a long read") {
    Options options = with(Durability::commit);
    options.timing.max_wait = std::chrono::milliseconds(10);
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    fake.file->own_reader = true;
    fake.file->wal_bytes = 9 * MiB;
    fake.faults->before(Call::checkpoint,
                        [&] { fake.clock->advance(std::chrono::milliseconds(1)); });
    for (const int calls : {1, 10}) {
      CHECK(fake.put_all(test::numbered("k", calls), "1") == 0);
      CHECK(fake.file->checkpoints <= 12);
    }
    for (int i = 0; i < 10; ++i) CHECK(fake.put("a", "1") == 0);
    CHECK(fake.erase("b") == 0);
    CHECK(fake.file->checkpoints <= 12);
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.put("a", "1") == 0);
    CHECK(fake.file->checkpoints > 12);
    fake.file->own_reader = false;
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.put("a", "1") == 1);
    fake.file->own_reader = true;
    fake.file->wal_bytes = 9 * MiB;
    const int before = fake.file->checkpoints;
    CHECK(fake.put("a", "1") == 0);  // it waits, because the store has written
    CHECK(fake.file->checkpoints > before + 5);
    fake.file->own_reader = false;
  }

  TEST_CASE("an empty queue accepts an entry larger than queue_bytes") {
    FakeEngine fake(with_small_queue());
    REQUIRE(fake.open().ok());
    CHECK(fake.put_all({"a", "b", "c"}, std::string(100'000, 'x')) == 3);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys().size() == 3);
  }

  TEST_CASE("a put with commit durability returns 0 if the commit fails and is written later") {
    FakeEngine fake(with(Durability::commit));
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::commit, FailureKind::full);
    CHECK(fake.put_all({"a", "b", "c"}, "1") == 0);
    CHECK(fake.get("b") == "1");
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys().size() == 3);
  }

  TEST_CASE("a call waits for max_wait only once, even if the store refuses many of its writes") {
    FakeEngine fake(with(Durability::commit));
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    CHECK(fake.put_all(test::numbered("k", 200), "1") == 0);
    // Several attempts for the first key until max_wait ends, then one attempt for each key.
    CHECK(fake.faults->calls(Call::begin) < 300);
  }
}
