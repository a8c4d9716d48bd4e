#include "store/reader_pool.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/store_fixture.hpp"
#include "support/watchdog.hpp"

using namespace ashmemo;
using namespace std::chrono_literals;
using base::FailureKind;
using store::Reader;
using store::ReaderPool;
using test::StoreFixture;

namespace {

/// A pool of its own on the file of a store.
struct PoolFixture {
  explicit PoolFixture(std::size_t most, bool keep = true) { make(most, keep); }
  void make(std::size_t most, bool keep) {
    store::ConnectionOptions options;
    options.cache_bytes = 1 << 20;
    options.max_value_bytes = 1 << 20;
    pool = std::make_unique<ReaderPool>(file.path, options,
                                        store::SnapshotRule{&commits, file.clock, keep}, most,
                                        [this] { return in_place; });
  }
  ReaderPool::Lease lease() {
    auto taken = pool->lease();
    REQUIRE(taken);
    return std::move(*taken);
  }
  /// Reads, so that there is a snapshot; how many entries it shows.
  static std::int64_t entries(const ReaderPool::Lease& lease) {
    return lease->totals().value().entries;
  }

  StoreFixture file;
  bool in_place = true;
  std::atomic<std::uint64_t> commits{0};
  std::unique_ptr<ReaderPool> pool;
};

using Take = base::Result<ReaderPool::Lease> (ReaderPool::*)();

/// Opens a reader, while the allocation after `before` others fails; false: it needed fewer.
bool open_without_memory(ReaderPool& pool, Take take, std::int64_t before) {
  const test::FailingAllocation failing(before);
  try {
    auto lease = (pool.*take)();
    if (lease) lease->discard();
  } catch (const std::bad_alloc&) {
  }
  return failing.has_failed();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("readers are opened when needed, and the one used last is used next") {
    PoolFixture fixture(3);
    Reader* first = nullptr;
    Reader* second = nullptr;
    {
      const auto one = fixture.lease();
      const auto two = fixture.lease();
      first = &*one;
      second = &*two;
      CHECK(first != second);
    }  // given back in reverse order
    CHECK(&*fixture.lease() == first);
    CHECK(&*fixture.lease() == first);
    const auto one = fixture.lease();
    CHECK(&*fixture.lease() == second);
  }

  TEST_CASE("there are never more readers than allowed, and who waits gets one") {
    PoolFixture fixture(2);
    base::Mutex mutex;
    std::set<Reader*> seen;
    std::atomic<int> in_use{0};
    std::atomic<int> most_in_use{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 50; ++round) {
          const auto lease = fixture.pool->lease();
          const int now = ++in_use;
          if (now > most_in_use) most_in_use = now;
          const base::Lock lock(mutex);
          seen.insert(&**lease);
          --in_use;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(seen.size() <= 2);
    CHECK(most_in_use <= 2);
  }

  TEST_CASE("a reader that has seen an error is not used again") {
    PoolFixture fixture(1);
    for (int i = 0; i < 5; ++i) {  // more often than there are places
      auto lease = fixture.lease();
      CHECK(PoolFixture::entries(lease) == 0);
      CHECK(lease->snapshot_age() == 0);
      fixture.file.clock->advance(1ms);  // a kept snapshot would be older
      lease.discard();
    }
  }

  TEST_CASE("a file that cannot be opened fails each time, and takes no place") {
    PoolFixture fixture(2);
    ReaderPool pool(fixture.file.dir.path("missing"), {},
                    {&fixture.commits, fixture.file.clock, true}, 2, [] { return true; });
    for (int i = 0; i < 5; ++i) {
      const auto lease = pool.lease();
      REQUIRE_FALSE(lease);
      CHECK(lease.failure().kind == FailureKind::io);
      CHECK_FALSE(pool.dedicated());
    }
  }

  TEST_CASE("a reader for which there is no memory takes no place, and keeps nobody waiting") {
    const test::Watchdog watchdog("a reader for which there is no memory");
    for (const Take take : {&ReaderPool::lease, &ReaderPool::dedicated}) {
      PoolFixture fixture(1);
      bool failed = true;
      for (std::int64_t before = 0; failed; ++before) {
        CAPTURE(before);
        failed = open_without_memory(*fixture.pool, take, before);
        CHECK(fixture.pool->renew_snapshots(0ms));  // no reader is in use
        fixture.lease().discard();
      }
    }
  }

  TEST_CASE("no reader is opened once the path means another file") {
    PoolFixture fixture(2);
    const auto open_before = fixture.lease();
    fixture.in_place = false;
    CHECK(fixture.pool->lease().failure().kind == FailureKind::unavailable);
    CHECK(fixture.pool->dedicated().failure().kind == FailureKind::unavailable);
    CHECK(PoolFixture::entries(open_before) == 0);
  }

  TEST_CASE("a dedicated reader does not count and is closed at the end") {
    PoolFixture fixture(1);
    const auto shared = fixture.lease();
    {
      const auto one = fixture.pool->dedicated();
      const auto two = fixture.pool->dedicated();
      REQUIRE(one);
      REQUIRE(two);
      CHECK(PoolFixture::entries(*one) == 0);
      CHECK(PoolFixture::entries(*two) == 0);
    }
    CHECK(PoolFixture::entries(shared) == 0);
  }

  TEST_CASE("a snapshot is kept until a commit") {
    PoolFixture fixture(1);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    CHECK(fixture.lease()->holds_snapshot());
    fixture.file.put({{"a", "1"}});  // counted by the store, not yet by this pool
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    ++fixture.commits;
    CHECK(PoolFixture::entries(fixture.lease()) == 1);
  }

  TEST_CASE("a snapshot is kept for fifty milliseconds at most") {
    PoolFixture fixture(1);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    fixture.file.put({{"a", "1"}});
    fixture.file.clock->advance(49ms);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    fixture.file.clock->advance(1ms);
    CHECK(PoolFixture::entries(fixture.lease()) == 1);
  }

  TEST_CASE("a snapshot is not kept where nobody would end it") {
    PoolFixture fixture(1, false);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    CHECK_FALSE(fixture.lease()->holds_snapshot());
    fixture.file.put({{"a", "1"}});
    CHECK(PoolFixture::entries(fixture.lease()) == 1);
  }

  TEST_CASE("a snapshot that a commit has passed is let go at the end of its read") {
    PoolFixture fixture(1);
    {
      const auto lease = fixture.lease();
      CHECK(PoolFixture::entries(lease) == 0);
      ++fixture.commits;
    }
    CHECK_FALSE(fixture.lease()->holds_snapshot());
  }

  TEST_CASE("idle readers let go of snapshots that are old enough, others keep theirs") {
    PoolFixture fixture(2);
    const auto busy = fixture.lease();
    CHECK(PoolFixture::entries(busy) == 0);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    fixture.file.clock->advance(10ms);
    fixture.pool->release_snapshots(10'001);
    CHECK(fixture.lease()->holds_snapshot());
    fixture.pool->release_snapshots(10'000);
    CHECK_FALSE(fixture.lease()->holds_snapshot());
    CHECK(busy->holds_snapshot());
  }

  TEST_CASE("after a renewal every reader takes a new snapshot") {
    PoolFixture fixture(2);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    CHECK(fixture.pool->renew_snapshots(0ms));
    CHECK_FALSE(fixture.lease()->holds_snapshot());
    {
      const auto busy = fixture.lease();
      CHECK(PoolFixture::entries(busy) == 0);
      CHECK_FALSE(fixture.pool->renew_snapshots(0ms));
      CHECK(busy->holds_snapshot());  // it is being used
      const auto later = fixture.lease();
      CHECK(PoolFixture::entries(later) == 0);
    }
    const auto one = fixture.lease();
    const auto two = fixture.lease();
    CHECK(one->holds_snapshot() != two->holds_snapshot());  // only the later one's is new enough
  }

  TEST_CASE("a renewal waits for a running read") {
    PoolFixture fixture(1);
    std::optional<ReaderPool::Lease> lease(fixture.lease());
    std::atomic<bool> given_back{false};
    std::thread reader([&] {
      given_back = true;
      lease.reset();
    });
    CHECK(fixture.pool->renew_snapshots(60s));
    CHECK(given_back);
    reader.join();
  }

  TEST_CASE("closing waits for readers in use, and then there are none") {
    PoolFixture fixture(2);
    std::optional<ReaderPool::Lease> lease(fixture.lease());
    auto dedicated = std::make_unique<ReaderPool::Lease>(std::move(*fixture.pool->dedicated()));
    std::atomic<bool> given_back{false};
    std::thread reader([&] {
      CHECK(PoolFixture::entries(*lease) == 0);
      lease.reset();
      given_back = true;
      dedicated.reset();
    });
    fixture.pool->close();
    CHECK(given_back);
    reader.join();
    CHECK(fixture.pool->lease().failure().kind == FailureKind::unavailable);
    CHECK(fixture.pool->dedicated().failure().kind == FailureKind::unavailable);
    fixture.pool->close();
  }

  TEST_CASE("closing wakes those who wait for a reader") {
    PoolFixture fixture(1);
    std::optional<ReaderPool::Lease> lease(fixture.lease());
    std::thread waiting([&] { CHECK_FALSE(fixture.pool->lease()); });
    std::thread closing([&] { fixture.pool->close(); });
    waiting.join();  // while the only reader is still in use
    lease.reset();
    closing.join();
  }
}
