#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "store/open.hpp"
#include "support/fake_engine.hpp"

// How the worker opens the store, closes it and opens it again.

using namespace ashmemo;
using namespace std::chrono_literals;
using base::FailureKind;
using test::Call;
using test::FakeEngine;
using test::FakeFile;
using test::FakeRow;

namespace {

using Opened = base::Result<std::unique_ptr<store::Store>>;

/// Opens fake stores for the worker and records each request.
struct Opener {
  explicit Opener(FakeEngine& cache) : fake(cache), file(cache.file) {
    fake.engine.open_store = [this](const store::OpenOptions& options) -> Opened {
      asked.push_back(options.found_corrupt);
      asked_last = options;
      if (fails) return base::Failure{*fails, sqlite_code, "fails on purpose"};
      if (!options.found_corrupt.empty()) {
        file = std::make_shared<FakeFile>();  // quarantined
        if (options.on_quarantine) options.on_quarantine("fake.db", "fake.db.corrupt-1", "damage");
      }
      return test::make_faulty(test::open_fake_store(file), fake.faults);
    };
  }
  FakeEngine& fake;
  std::shared_ptr<FakeFile> file;
  std::vector<std::string> asked;
  store::OpenOptions asked_last;
  std::optional<FailureKind> fails;
  int sqlite_code = 0;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("opening a store reads the totals and the last stamp of its file") {
    FakeEngine fake;
    FakeRow row;
    row.byte_size = 300;
    row.inserted_at = fake.clock->wall_now() + 5'000'000;  // stored while the clock was ahead
    fake.file->plant("a", row);
    REQUIRE(fake.open().ok());
    CHECK(fake.engine.entries == 1);
    CHECK(fake.engine.bytes == 300);
    fake.put("b", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->row("b").inserted_at > row.inserted_at);
  }

  TEST_CASE("an opening that fails is returned to the caller and closes the store") {
    FakeEngine fake;
    for (const Call call : {Call::calculations, Call::last_stamp, Call::totals}) {
      fake.faults->fail(call, FailureKind::io);
      CHECK_FALSE(fake.open().ok());
      CHECK(fake.file->open_stores == 0);
      CHECK_FALSE(fake.engine.store.get());
    }
    REQUIRE(fake.open().ok());
    CHECK(fake.file->open_stores == 1);
    fake.close();
    CHECK(fake.file->open_stores == 0);
  }

  TEST_CASE("damage that two openings find quarantines the file at once") {
    FakeEngine fake;
    Opener opener(fake);
    fake.faults->fail(Call::calculations, FailureKind::corrupt, 1, 2);
    REQUIRE(fake.open().ok());
    REQUIRE(opener.asked.size() == 3);
    CHECK(opener.asked[0].empty());
    CHECK(opener.asked[1].empty());
    CHECK_FALSE(opener.asked[2].empty());
    CHECK(fake.recorded->count(NoticeKind::quarantined) == 1);
  }

  TEST_CASE("damage that only the first opening finds changes nothing") {
    FakeEngine fake;
    Opener opener(fake);
    fake.faults->fail(Call::calculations, FailureKind::corrupt);
    REQUIRE(fake.open().ok());
    CHECK(opener.asked == std::vector<std::string>{"", ""});
    CHECK(fake.recorded->count(NoticeKind::quarantined) == 0);
  }

  TEST_CASE("damage that a write finds once in an hour opens the file again and nothing else") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    for (std::size_t times = 1; times <= 3; ++times) {
      fake.put("a", "1");
      fake.faults->fail(Call::put, FailureKind::corrupt);
      REQUIRE(fake.worker.flush().ok());
      CHECK(opener.asked == std::vector<std::string>(times + 1, ""));
      CHECK(opener.file->has("a"));
      CHECK(fake.health() == HealthState::ok);
      fake.clock->advance(std::chrono::hours(1));
    }
    CHECK(fake.recorded->count(NoticeKind::quarantined) == 0);
    CHECK(fake.recorded->count(NoticeKind::recovered) == 3);
  }

  TEST_CASE("a file that is opened for reading is never quarantined") {
    Options options = FakeEngine::manual();
    options.access = Access::read_only;
    FakeEngine fake(options);
    Opener opener(fake);
    fake.faults->fail(Call::calculations, FailureKind::corrupt);
    CHECK_FALSE(fake.open().ok());
    CHECK(opener.asked == std::vector<std::string>{""});
  }

  TEST_CASE("damage that a read or a write finds quarantines the file and the cache continues") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    bool by_a_read = true;
    SUBCASE("a read finds it") {}
    SUBCASE("a write finds it") { by_a_read = false; }
    if (by_a_read) {
      fake.faults->fail(Call::read, FailureKind::corrupt);
      CHECK_FALSE(fake.get("a"));
      CHECK(fake.recorded->count(NoticeKind::read_failed) == 0);  // the worker reports it later
    } else {
      fake.faults->fail(Call::put, FailureKind::corrupt, 1, 2);
      fake.put("b", "1");
      CHECK_FALSE(fake.worker.flush().ok());
    }
    REQUIRE(fake.worker.flush().ok());
    REQUIRE(opener.asked.size() == (by_a_read ? 2U : 3U));
    // The first connection of the writer may have met bad memory.
    CHECK((by_a_read || opener.asked[1].empty()));
    CHECK(opener.asked.back() == "told to fail");
    CHECK(fake.recorded->count(NoticeKind::quarantined) == 1);
    CHECK(opener.file != fake.file);
    CHECK_FALSE(fake.get("a"));
    CHECK(fake.get("b").has_value() == !by_a_read);
    CHECK(opener.file->has("b") == !by_a_read);
    CHECK(fake.health() == HealthState::ok);
    // The new file is not marked corrupt with the old one.
    REQUIRE(fake.worker.flush().ok());
    CHECK(opener.asked.size() == (by_a_read ? 2U : 3U));
  }

  TEST_CASE("a read failure ends when another file is opened") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    for (int outage = 1; outage <= 2; ++outage) {
      fake.faults->fail(Call::read, FailureKind::io);
      CHECK_FALSE(fake.get("a"));
      CHECK(fake.health() == HealthState::degraded);
      opener.file->in_place = false;
      opener.file = std::make_shared<FakeFile>();
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.health() == HealthState::ok);
      CHECK(fake.recorded->count(NoticeKind::read_failed) == outage);
    }
  }

  TEST_CASE("a reader of a closed store does not mark the new store corrupt") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    const auto old = fake.engine.store.get();
    fake.file->in_place = false;
    opener.file = std::make_shared<FakeFile>();
    static_cast<void>(fake.worker.run(0));
    const auto now = fake.engine.store.get();
    REQUIRE(now != old);
    for (const FailureKind kind :
         {FailureKind::unavailable, FailureKind::corrupt, FailureKind::io}) {
      fake.engine.store_failed(*old, {kind, 0, "closed"});
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.engine.store.get() == now);
    }
    CHECK(opener.asked.size() == 2);
    CHECK(opener.asked[1].empty());
    CHECK(fake.recorded->count(NoticeKind::read_failed) == 0);
  }

  TEST_CASE("a flush notices a deleted file and writes accepted entries to the new file") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    fake.put("b", "1");
    fake.file->in_place = false;
    opener.file = std::make_shared<FakeFile>();
    REQUIRE(fake.worker.flush().ok());
    CHECK(opener.file->keys() == std::vector<std::string>{"b"});
    CHECK_FALSE(fake.get("a"));
    CHECK(fake.engine.entries == 1);
    CHECK(fake.file->open_stores == 0);
    CHECK(fake.recorded->count(NoticeKind::file_lost) == 1);
  }

  TEST_CASE("reads of the old file do not count for rows of the new file") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a"));
    fake.file->in_place = false;
    opener.file = std::make_shared<FakeFile>();
    fake.put("b", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(opener.file->row("b").access_count == 0);
  }

  TEST_CASE("a new file contains the calculations before any of their results") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "");
    engine::NewEntry result{"Post:1:words", Value::text("1"), {}, words->id, {}, 0};
    REQUIRE(engine::put(fake.engine, std::span(&result, 1)) == 1);
    fake.file->in_place = false;
    opener.file = std::make_shared<FakeFile>();
    bool known = false;
    fake.faults->before(Call::put,
                        [&] { known = opener.file->state()->calculations.contains(words->id); });
    REQUIRE(fake.worker.flush().ok());
    CHECK(known);
    CHECK(opener.file->row("Post:1:words").calculation_id == words->id);
  }

  TEST_CASE("a new file is not used before the calculations are written to it") {
    for (const Call call : {Call::begin, Call::put_calculation, Call::commit}) {
      FakeEngine fake;
      Opener opener(fake);
      REQUIRE(fake.open().ok());
      static_cast<void>(fake.engine.catalog.add("Post", "words", 1, ""));
      fake.file->in_place = false;
      opener.file = std::make_shared<FakeFile>();
      fake.faults->fail(call, FailureKind::busy);
      CHECK_FALSE(fake.worker.flush().ok());
      CHECK_FALSE(fake.engine.store.get());
      CHECK(opener.file->open_stores == 0);
      fake.clock->advance(std::chrono::seconds(1));
      REQUIRE(fake.worker.flush().ok());
      CHECK(opener.file->state()->calculations.size() == 1);
    }
  }

  TEST_CASE("opening is tried again with growing pauses while the file cannot be opened") {
    FakeEngine fake;
    Opener opener(fake);
    opener.fails = FailureKind::io;
    const auto failed = fake.open();
    REQUIRE_FALSE(failed.ok());
    fake.worker.start_without_store(failed.failure());
    CHECK(fake.health() == HealthState::unavailable);
    CHECK(fake.engine.pending.is_refusing());
    CHECK(fake.put("a", "1") == 0);

    // At first the worker tries at most every 100 ms, later less often.
    int tries = static_cast<int>(opener.asked.size());
    for (int i = 0; i < 1'000; ++i) {
      static_cast<void>(fake.worker.run(0));
      fake.clock->advance(std::chrono::milliseconds(100));
    }
    tries = static_cast<int>(opener.asked.size()) - tries;
    CHECK(tries >= 10);
    CHECK(tries <= 20);
    CHECK(fake.recorded->count(NoticeKind::unavailable) == 1);

    opener.fails.reset();
    fake.clock->advance(std::chrono::seconds(10));
    static_cast<void>(fake.worker.run(0));
    CHECK(fake.health() == HealthState::ok);
    CHECK_FALSE(fake.engine.pending.is_refusing());
    CHECK(fake.recorded->count(NoticeKind::available) == 1);
    CHECK(fake.put("a", "1") == 1);
  }

  TEST_CASE("new files that fail at once are replaced with growing pauses") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    for (int i = 0; i < 1'000; ++i) {
      fake.put("a", std::to_string(i));
      fake.faults->fail(Call::put, FailureKind::corrupt);
      static_cast<void>(fake.worker.run(0));
      CHECK((opener.asked.size() <= 3 || opener.asked_last.corrupt_file_is_new));
      fake.clock->advance(std::chrono::milliseconds(100));
    }
    const auto quarantines = fake.recorded->count(NoticeKind::quarantined);
    CHECK(quarantines >= 10);
    CHECK(quarantines <= 20);
    // A new file that lasts is trusted, and its own damage is another matter.
    fake.faults->heal();
    fake.clock->advance(std::chrono::minutes(2));
    REQUIRE(fake.worker.flush().ok());
    fake.clock->advance(std::chrono::minutes(2));
    fake.put("a", "x");
    fake.faults->fail(Call::put, FailureKind::corrupt);
    REQUIRE(fake.worker.flush().ok());
    CHECK_FALSE(opener.asked_last.corrupt_file_is_new);
    CHECK(fake.health() == HealthState::ok);
  }

  TEST_CASE("a file that cannot be read is given up after several openings") {
    constexpr int kUnreadable = 266;  // SQLITE_IOERR_READ
    FakeEngine fake;
    Opener opener(fake);
    opener.fails = FailureKind::io;
    const auto seconds_until_given_up = [&] {
      fake.worker.start_without_store({FailureKind::io, opener.sqlite_code, "x"});
      int tenths = 0;
      do {
        fake.clock->advance(std::chrono::milliseconds(100));
        static_cast<void>(fake.worker.run(0));
      } while (!opener.asked_last.gives_up_reading && ++tenths < 1'000);
      return tenths / 10;
    };
    SUBCASE("because the device fails") {
      opener.sqlite_code = kUnreadable;
      CHECK(seconds_until_given_up() >= 10);
      CHECK(seconds_until_given_up() <= 60);
      // A file that could be opened is not given up at the next failure.
      opener.fails.reset();
      fake.clock->advance(std::chrono::seconds(10));
      static_cast<void>(fake.worker.run(0));
      CHECK(fake.health() == HealthState::ok);
      fake.file->in_place = false;
      static_cast<void>(fake.worker.flush());
      CHECK_FALSE(opener.asked_last.gives_up_reading);
    }
    SUBCASE("but never because it may not be opened") { CHECK(seconds_until_given_up() >= 99); }
  }

  TEST_CASE("opening does not loop while the clock does not move") {
    FakeEngine fake;
    Opener opener(fake);
    opener.fails = FailureKind::io;
    fake.worker.start_without_store({FailureKind::io, 0, "x"});
    for (int i = 0; i < 10; ++i) CHECK_FALSE(fake.worker.flush().ok());
    CHECK(opener.asked.empty());
  }

  TEST_CASE("a removal without a store returns and is applied when the file comes back") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    fake.put_all({"a", "b"}, "1");
    REQUIRE(fake.worker.flush().ok());
    opener.fails = FailureKind::io;
    fake.file->in_place = false;
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.erase("a") == 0);
    opener.fails.reset();
    fake.file->in_place = true;  // moved away and back again
    fake.clock->advance(std::chrono::seconds(10));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->keys() == std::vector<std::string>{"b"});
  }

  TEST_CASE("no file is opened while the cache is being closed") {
    FakeEngine fake;
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    fake.file->in_place = false;
    fake.close();
    CHECK(opener.asked.size() == 1);
    CHECK(fake.engine.counters.dropped.get() == 1);
    CHECK(fake.recorded->count(NoticeKind::writes_dropped) == 1);
  }

  TEST_CASE("a store is opened with the values of the options") {
    Options options = FakeEngine::manual();
    options.durability = Durability::power;
    options.erase_securely = true;
    options.exclusive = true;
    options.reader_cache_bytes = MiB;
    options.writer_cache_bytes = 2 * MiB;
    options.limits.max_entry_bytes = 3 * MiB;
    FakeEngine fake(options);
    store::OpenOptions asked;
    fake.engine.open_store = [&](const store::OpenOptions& given) -> Opened {
      asked = given;
      return test::open_fake_store(fake.file);
    };
    REQUIRE(fake.open().ok());
    CHECK(asked.path == std::filesystem::absolute("fake.db").string());
    CHECK(asked.synced);
    CHECK(asked.erase_securely);
    CHECK(asked.exclusive);
    CHECK_FALSE(asked.reserves_later);
    CHECK_FALSE(asked.read_only);
    CHECK(asked.reader_cache_bytes == MiB);
    CHECK(asked.writer_cache_bytes == 2 * MiB);
    CHECK(asked.max_entry_bytes == 3 * MiB);
    CHECK(asked.hints == fake.engine.hints);
    CHECK(asked.clock == fake.engine.clock);
  }

  TEST_CASE("the worker's thread reserves space in the log, not the caller that opens the store") {
    Options options = FakeEngine::manual();
    options.hooks.worker = WorkerMode::thread;
    FakeEngine fake(options);
    Opener opener(fake);
    REQUIRE(fake.open().ok());
    CHECK(opener.asked_last.reserves_later);
  }

  TEST_CASE("damage that a reader finds wakes the worker") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    test::NoWorker worker;
    fake.engine.worker = &worker;
    fake.engine.store_failed(*fake.engine.store.get(), {FailureKind::corrupt, 0, "torn"});
    CHECK(worker.wakes_now == 1);
    fake.engine.worker = &fake.worker;
  }

  TEST_CASE("a caller that waits for a commit does not wait for readers of a lost file") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    bool refused = false;
    fake.file->at_close = [&] { refused = fake.engine.pending.is_refusing(); };
    fake.file->in_place = false;
    REQUIRE(fake.worker.flush().ok());
    CHECK(refused);
    CHECK_FALSE(fake.engine.pending.is_refusing());
    fake.file->at_close = {};
  }

  TEST_CASE("a read-only cache keeps a lost file open until its last reader is done") {
    Options options = FakeEngine::manual();
    options.access = Access::read_only;
    FakeEngine fake(options);
    REQUIRE(fake.open().ok());
    int closed = 0;
    fake.file->at_close = [&closed] { ++closed; };
    auto reads = fake.engine.store.get();
    fake.file->in_place = false;
    (void)fake.worker.run(0);
    CHECK(fake.engine.store.get() != reads);
    CHECK(closed == 0);
    reads.reset();
    CHECK(closed == 1);
    fake.file->at_close = {};
  }

  TEST_CASE("on a full disk the worker follows the file that it only reads") {
    FakeEngine fake;
    int tries = 0;
    fake.engine.open_store = [&](const store::OpenOptions& options) -> Opened {
      if (!options.read_only) ++tries;
      if (!options.read_only) return base::Failure{FailureKind::full, 0, "no space"};
      fake.file->only_read = true;
      return test::open_fake_store(fake.file);
    };
    FakeRow row;
    row.value = Value::text("in the file");
    fake.file->plant("a", row);
    fake.worker.start_without_store(fake.open().failure());
    CHECK(fake.health() == HealthState::degraded);
    CHECK(fake.get("a") == "in the file");
    while (fake.engine.tier_watch.stays_awake(0)) continue;
    CHECK(fake.put("k", "in memory") == 0);
    CHECK(fake.get("k") == "in memory");
    CHECK(fake.ask({.key = "k"}).in_memory);
    for (int i = 0; i < 10; ++i) {  // until the back-off has its maximum
      fake.clock->advance(1min);
      (void)fake.worker.run(0);
    }
    CHECK(fake.file->open_stores == 1);
    CHECK(fake.engine.entries == 1);
    const int tries_before = std::exchange(tries, 0);
    CHECK(tries_before == 11);
    fake.file->plant("b", row);  // by another program
    fake.clock->advance(1s);
    (void)fake.worker.run(0);
    CHECK(fake.engine.entries == 2);
    CHECK(tries == 0);
    CHECK(fake.get("b") == "in the file");
  }

  TEST_CASE("the store gets a new limit for one entry before it writes entries under that limit") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    Limits limits;
    limits.max_entry_bytes = 100 * MiB;
    fake.engine.limits.set(limits);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->allowed == 100 * MiB);
  }
}
