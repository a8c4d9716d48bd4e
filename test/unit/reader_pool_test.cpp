#include "store/reader_pool.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/allocations.hpp"
#include "support/store_fixture.hpp"
#include "support/system_calls.hpp"
#include "support/watchdog.hpp"

using namespace ashmemo;
using namespace std::chrono_literals;
using base::FailureKind;
using store::Reader;
using store::ReaderPool;
using test::StoreFixture;

namespace {

/// A separate pool on the file of a store.
struct PoolFixture {
  explicit PoolFixture(std::size_t max_readers, bool keep = true) { make(max_readers, keep); }
  void make(std::size_t max_readers, bool keep, bool immutable = false) {
    store::ConnectionOptions options;
    options.immutable = immutable;
    options.cache_bytes = 1 << 20;
    options.max_value_bytes = 1 << 20;
    pool = std::make_unique<ReaderPool>(
        file.path, options, store::SnapshotRule{&commits, file.clock, keep},
        ReaderPool::Size{.full = 2, .max = max_readers},
        [this] {
          ++openings;
          return in_place;
        },
        std::make_shared<store::RowidHints>(0));
  }
  ReaderPool::Lease lease() {
    auto taken = pool->lease();
    REQUIRE(taken);
    return std::move(*taken);
  }
  /// Reads the totals, which takes a snapshot. Returns the number of entries in it.
  static std::int64_t entries(const ReaderPool::Lease& lease) {
    return lease->totals().value().entries;
  }

  StoreFixture file;
  base::Status in_place;
  std::atomic<int> openings{0};  // the pool asks before and after each one
  std::atomic<std::uint64_t> commits{0};
  std::unique_ptr<ReaderPool> pool;
};

using Take = base::Result<ReaderPool::Lease> (ReaderPool::*)();

/// Opens a reader and lets the allocation after the first `before` ones fail. Returns false if the
/// opening needed fewer allocations.
bool open_without_memory(ReaderPool& pool, Take take, std::int64_t before) {
  const test::FailingAllocation failing(before);
  try {
    auto lease = (pool.*take)();
    if (lease) lease->discard();
  } catch (const std::bad_alloc&) {
  }
  return failing.has_failed();
}

sqlite3* newest = nullptr;  // the connection that SQLite opened last

int remember(sqlite3* db, char**, const sqlite3_api_routines*) {
  newest = db;
  return SQLITE_OK;
}

std::int64_t pragma(sqlite3* db, const char* sql) {
  std::int64_t value = 0;
  const auto take = [](void* to, int, char** columns, char**) {
    *static_cast<std::int64_t*>(to) = std::stoll(columns[0]);
    return 0;
  };
  REQUIRE(sqlite3_exec(db, sql, take, &value, nullptr) == SQLITE_OK);
  return value;
}

int refuse_commit(void*, int action, const char* what, const char*, const char*, const char*) {
  const bool is_commit = action == SQLITE_TRANSACTION && std::string_view(what) == "COMMIT";
  return is_commit ? SQLITE_DENY : SQLITE_OK;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the pool opens readers when needed and reuses the last one that was returned") {
    PoolFixture fixture(3);
    Reader* first = nullptr;
    Reader* second = nullptr;
    {
      const auto one = fixture.lease();
      const auto two = fixture.lease();
      first = &*one;
      second = &*two;
      CHECK(first != second);
    }  // returned in reverse order
    CHECK(&*fixture.lease() == first);
    CHECK(&*fixture.lease() == first);
    const auto one = fixture.lease();
    CHECK(&*fixture.lease() == second);
  }

  TEST_CASE("the pool never exceeds its maximum and every waiting caller gets a reader") {
    PoolFixture fixture(2);
    base::Mutex mutex;
    std::set<Reader*> seen;
    std::atomic<int> in_use{0};
    std::atomic<int> max_in_use{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < 50; ++round) {
          const auto lease = fixture.pool->lease();
          const int now = ++in_use;
          if (now > max_in_use) max_in_use = now;
          const base::Lock lock(mutex);
          seen.insert(&**lease);
          --in_use;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(seen.size() <= 2);
    CHECK(max_in_use <= 2);
  }

  TEST_CASE("a thread takes its last reader again even if another reader was used later") {
    PoolFixture fixture(2);
    std::optional<ReaderPool::Lease> first(fixture.lease());
    const Reader* const mine = &**first;
    std::thread([&] {
      const auto second = fixture.lease();
      CHECK(&*second != mine);
      first.reset();
    }).join();  // returns the second reader last
    CHECK(&*fixture.lease() == mine);
  }

  TEST_CASE("readers beyond the number of processors have a small page cache") {
    PoolFixture fixture(3);
    REQUIRE(sqlite3_auto_extension(reinterpret_cast<void (*)()>(remember)) == SQLITE_OK);
    std::vector<ReaderPool::Lease> leases;
    std::vector<std::int64_t> cache_kib;
    for (int i = 0; i < 3; ++i) {
      leases.push_back(fixture.lease());
      cache_kib.push_back(-pragma(newest, "PRAGMA cache_size"));
    }
    sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(remember));
    CHECK(cache_kib == std::vector<std::int64_t>{1024, 1024, 512});
  }

  TEST_CASE("a discarded reader is not used again") {
    PoolFixture fixture(1);
    for (int i = 0; i < 5; ++i) {  // more often than the pool has places
      auto lease = fixture.lease();
      CHECK(PoolFixture::entries(lease) == 0);
      CHECK(lease->snapshot_age() == 0);
      fixture.file.clock->advance(1ms);  // a kept snapshot would be older
      lease.discard();
    }
  }

  TEST_CASE("a failed opening does not use a place in the pool") {
    PoolFixture fixture(2);
    ReaderPool pool(
        fixture.file.dir.path("missing"), {}, {&fixture.commits, fixture.file.clock, true},
        ReaderPool::Size{}, [] { return base::Status(); }, std::make_shared<store::RowidHints>(0));
    for (int i = 0; i < 5; ++i) {
      const auto lease = pool.lease();
      REQUIRE_FALSE(lease);
      CHECK(lease.failure().kind == FailureKind::io);
      CHECK_FALSE(pool.dedicated());
    }
  }

  TEST_CASE("a reader whose allocation fails uses no place in the pool and blocks no caller") {
    const test::Watchdog watchdog("a reader whose allocation fails");
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

  TEST_CASE("the pool opens no reader once the path names another file") {
    PoolFixture fixture(2);
    const auto open_before = fixture.lease();
    fixture.in_place = base::Failure{FailureKind::unavailable, 0, "it was replaced"};
    CHECK(fixture.pool->lease().failure().kind == FailureKind::unavailable);
    CHECK(fixture.pool->dedicated().failure().kind == FailureKind::unavailable);
    CHECK(PoolFixture::entries(open_before) == 0);
  }

  TEST_CASE("a caller waits for an open reader if no other reader can be opened") {
    PoolFixture fixture(3);
    std::optional<ReaderPool::Lease> lease(fixture.lease());
    Reader* const only = &**lease;
    fixture.in_place = base::Failure{FailureKind::io, 0, "the rights were given up"};
    std::vector<std::thread> callers;
    std::atomic<int> served{0};
    for (const Take take : {&ReaderPool::lease, &ReaderPool::dedicated, &ReaderPool::lease}) {
      callers.emplace_back([&, take] {
        const auto taken = (fixture.pool.get()->*take)();
        served += taken && &**taken == only ? 1 : 0;
      });
    }
    lease.reset();
    for (std::thread& caller : callers) caller.join();
    CHECK(served == 3);
  }

  TEST_CASE("a reader that failed is used again only if no other reader can be opened") {
    for (const FailureKind kind : {FailureKind::io, FailureKind::other}) {
      PoolFixture fixture(2);
      Reader* const only = &*fixture.lease();
      fixture.in_place = base::Failure{kind, 0, "it cannot be opened"};
      for (int round = 0; round < 2; ++round) {
        auto lease = fixture.pool->lease();
        REQUIRE(lease);
        CHECK(&**lease == only);
        CHECK_FALSE(only->holds_snapshot());
        CHECK(PoolFixture::entries(*lease) == 0);
        lease->discard();
      }
      fixture.in_place = {};
      fixture.lease().discard();
      const int before = fixture.openings;
      (void)fixture.lease();
      CHECK(fixture.openings == before + 2);
      for (const FailureKind last : {FailureKind::unavailable, FailureKind::corrupt}) {
        fixture.in_place = {};
        (void)fixture.lease();
        fixture.in_place = base::Failure{last, 0, "it was replaced"};
        fixture.lease().discard();
        CHECK(fixture.pool->lease().failure().kind == last);
      }
    }
  }

  TEST_CASE("a reader that failed and cannot end its snapshot is closed") {
    PoolFixture fixture(1);
    REQUIRE(sqlite3_auto_extension(reinterpret_cast<void (*)()>(&remember)) == SQLITE_OK);
    {
      auto lease = fixture.lease();
      sqlite3_reset_auto_extension();
      CHECK(PoolFixture::entries(lease) == 0);
      sqlite3_set_authorizer(newest, refuse_commit, nullptr);
      lease.discard();
    }
    fixture.in_place = base::Failure{FailureKind::io, 0, "it cannot be opened"};
    CHECK_FALSE(fixture.pool->lease());
    fixture.in_place = {};
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
  }

  TEST_CASE("a dedicated reader does not count towards the maximum") {
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

  TEST_CASE("a reader keeps its snapshot until a commit") {
    PoolFixture fixture(1);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    CHECK(fixture.lease()->holds_snapshot());
    fixture.file.put({{"a", "1"}});  // does not change the commit counter of this pool
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    ++fixture.commits;
    CHECK(PoolFixture::entries(fixture.lease()) == 1);
  }

  TEST_CASE("a reader keeps its snapshot for at most 50 ms") {
    PoolFixture fixture(1);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    fixture.file.put({{"a", "1"}});
    fixture.file.clock->advance(49ms);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    fixture.file.clock->advance(1ms);
    CHECK(PoolFixture::entries(fixture.lease()) == 1);
  }

  TEST_CASE("a reader keeps no snapshot if its rule does not allow it") {
    PoolFixture fixture(1, false);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    CHECK_FALSE(fixture.lease()->holds_snapshot());
    fixture.file.put({{"a", "1"}});
    CHECK(PoolFixture::entries(fixture.lease()) == 1);
  }

  TEST_CASE("a reader of a file that has just changed is opened once more after 3 s") {
    for (const bool is_older : {false, true}) {
      CAPTURE(is_older);
      PoolFixture fixture(1);
      const auto changed_at = base::inspect(fixture.file.path).value().changed_at / 1'000;
      fixture.file.clock->set_wall(changed_at + (is_older ? 3'000'001 : 2'000'000));
      fixture.file.close();
      fixture.make(1, false, true);
      CHECK(PoolFixture::entries(fixture.lease()) == 0);
      fixture.file.raw().run(
          "INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at, accessed_at)"
          " VALUES ('a', 100, 1, 1, 1)");
      // Hides the log, so that the state of the file is the same.
      test::before_os_calls([](const test::OsCall& call) {
        const bool is_hidden = !call.is_by_sqlite && call.path != nullptr &&
                               std::string_view(call.path).ends_with("-wal");
        return is_hidden ? EIO : 0;
      });
      fixture.file.clock->advance(2'999ms);
      CHECK(PoolFixture::entries(fixture.lease()) == 0);
      fixture.file.clock->advance(1ms);
      CHECK(PoolFixture::entries(fixture.lease()) == (is_older ? 0 : 1));
      test::before_os_calls({});
      CHECK(PoolFixture::entries(fixture.lease()) == 1);
      fixture.pool.reset();
    }
  }

  TEST_CASE("a reader that cannot be opened once more is used as it is") {
    PoolFixture fixture(1);
    fixture.file.close();
    fixture.make(1, false, true);
    Reader* const only = &*fixture.lease();
    fixture.in_place = base::Failure{FailureKind::io, 0, "the rights were given up"};
    fixture.file.clock->advance(10s);
    const auto lease = fixture.pool->lease();
    REQUIRE(lease);
    CHECK(&**lease == only);
    CHECK(PoolFixture::entries(*lease) == 0);
  }

  TEST_CASE("an outdated snapshot is released at the end of its read") {
    PoolFixture fixture(1);
    {
      const auto lease = fixture.lease();
      CHECK(PoolFixture::entries(lease) == 0);
      ++fixture.commits;
    }
    CHECK_FALSE(fixture.lease()->holds_snapshot());
  }

  TEST_CASE("release_snapshots releases only old snapshots of idle readers") {
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

  TEST_CASE("every reader takes a new snapshot after a renewal") {
    PoolFixture fixture(2);
    CHECK(PoolFixture::entries(fixture.lease()) == 0);
    CHECK(fixture.pool->renew_snapshots(0ms));
    CHECK_FALSE(fixture.lease()->holds_snapshot());
    {
      const auto busy = fixture.lease();
      CHECK(PoolFixture::entries(busy) == 0);
      CHECK_FALSE(fixture.pool->renew_snapshots(0ms));
      CHECK(busy->holds_snapshot());  // because it is in use
      const auto later = fixture.lease();
      CHECK(PoolFixture::entries(later) == 0);
    }
    const auto one = fixture.lease();
    const auto two = fixture.lease();
    // Only the snapshot of the later reader is new enough.
    CHECK(one->holds_snapshot() != two->holds_snapshot());
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

  TEST_CASE("close waits for readers in use and later leases fail") {
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

  TEST_CASE("close wakes callers that wait for a reader") {
    PoolFixture fixture(1);
    std::optional<ReaderPool::Lease> lease(fixture.lease());
    std::thread waiting([&] { CHECK_FALSE(fixture.pool->lease()); });
    std::thread closing([&] { fixture.pool->close(); });
    waiting.join();  // while the only reader is still in use
    lease.reset();
    closing.join();
  }
}
