// The work that calls cause, as numbers of transactions, rows and touches. Nothing is timed.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/transaction_counter.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Counted {
  std::int64_t reads = 0;
  std::int64_t writes = 0;
  std::int64_t commits = 0;
};

/// The transactions that `work` causes. The cache must be opened after `counter` was created.
template <class F>
Counted cost_of(CacheFixture& f, const TransactionCounter& counter, F work) {
  const Counted before{counter.reads(), counter.writes(), f->stats().commits};
  work();
  return {counter.reads() - before.reads, counter.writes() - before.writes,
          f->stats().commits - before.commits};
}

std::vector<std::pair<std::string, std::string>> values_of(const std::vector<std::size_t>& sizes) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    pairs.emplace_back("v" + std::to_string(i), std::string(sizes[i], 'v'));
  }
  return pairs;
}

constexpr std::size_t kMany = std::size_t{1} << 20;

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("get_many makes one read transaction for each 10,000 keys") {
    const TransactionCounter counter;
    CacheFixture f;
    for (const int keys : {1, 2, 10'000, 10'001, 25'000}) {
      INFO(keys);
      f.fill("k", 100);
      f->flush();  // a commit: all readers need a new snapshot
      const auto wanted = numbered("k", keys);
      const Counted cost = cost_of(f, counter, [&] { (void)f->get_many<std::string>(wanted); });
      CHECK(cost.reads >= 1);
      CHECK(cost.reads <= (keys + 9'999) / 10'000);
      CHECK(cost.writes == 0);
      CHECK(cost.commits == 0);
    }
  }

  TEST_CASE("reads share a snapshot until the next commit") {
    const TransactionCounter counter;
    CacheFixture f;
    f.fill("k", 50);
    f->flush();
    const auto read_each = [&] {
      for (const std::string& key : numbered("k", 50)) CHECK(f->get<std::string>(key));
    };
    CHECK(cost_of(f, counter, read_each).reads == 1);
    CHECK(cost_of(f, counter, read_each).reads == 0);
  }

  TEST_CASE("a pending write is read without a transaction") {
    const TransactionCounter counter;
    CacheFixture f;
    f.fill("k", 500);
    const Counted cost = cost_of(f, counter, [&] {
      CHECK(f->get_many<std::string>(numbered("k", 500)).back().has_value());
      CHECK(f->contains("k7"));
    });
    CHECK(cost.reads == 0);
  }

  TEST_CASE("stats, health and limits make no transaction") {
    const TransactionCounter counter;
    CacheFixture f;
    f.fill("k", 100);
    f->flush();
    const Counted cost = cost_of(f, counter, [&] {
      (void)f->stats();
      (void)f->health();
      (void)f->limits();
    });
    CHECK(cost.reads == 0);
    CHECK(cost.writes == 0);
  }

  TEST_CASE("writing makes one transaction for each 1,000 rows") {
    CacheFixture f;
    const std::vector<std::pair<int, int>> cases = {{1, 1},     {999, 1},   {1'000, 1},
                                                    {1'001, 2}, {2'500, 3}, {5'000, 5}};
    for (const auto& each : cases) {
      INFO(each.first);
      f.fill("k", each.first);
      const std::int64_t before = f->stats().commits;
      f->flush();
      CHECK(f->stats().commits - before == each.second);
    }
  }

  TEST_CASE("a write transaction has at most 4 MiB or one larger entry") {
    CacheFixture f({.queue_bytes = 64 * MiB});
    struct Case {
      std::vector<std::size_t> sizes;
      std::int64_t transactions;
    };
    for (const Case& each :
         {Case{std::vector<std::size_t>(10, kMany), 4}, Case{{10, 5 * kMany, 10}, 3},
          Case{{3 * kMany, 3 * kMany, 10}, 2}, Case{{9 * kMany}, 1}}) {
      CHECK(f->put_many(values_of(each.sizes)) == each.sizes.size());
      const std::int64_t before = f->stats().commits;
      f->flush();
      CHECK(f->stats().commits - before == each.transactions);
    }
  }

  TEST_CASE("get_or_compute_many calls the loader once and batches its reads and writes") {
    const TransactionCounter counter;
    CacheFixture f;
    f.fill("unrelated ", 10);
    f->flush();
    const auto keys = numbered("k", 12'500);
    int calls = 0;
    const auto load = [&] {
      (void)f->get_or_compute_many<int>(keys, [&](std::span<const std::string_view> missing) {
        ++calls;
        return std::vector<int>(missing.size(), 1);
      });
    };
    const Counted computing = cost_of(f, counter, load);
    CHECK(calls == 1);
    CHECK(computing.reads <= 2);
    CHECK(computing.commits == 0);
    CHECK(cost_of(f, counter, [&] { f->flush(); }).commits == 13);
    const Counted hitting = cost_of(f, counter, load);
    CHECK(calls == 1);
    CHECK(hitting.reads <= 2);
    CHECK(hitting.commits == 0);
  }

  TEST_CASE("a hit writes nothing until the next flush") {
    const TransactionCounter counter;
    CacheFixture f;
    f.fill("k", 10);
    f->flush();
    const Stats before = f->stats();
    const Counted cost = cost_of(f, counter, [&] {
      for (int i = 0; i < 200; ++i) CHECK(f->get<std::string>("k" + std::to_string(i % 10)));
      CHECK(f->touch("k3"));
    });
    CHECK(cost.writes == 0);
    CHECK(f->stats().wal_bytes == before.wal_bytes);
    CHECK(f->entry("k3")->access_count == 0);
    CHECK(cost_of(f, counter, [&] { f->flush(); }).commits == 1);
    CHECK(f->stats().bytes_written == before.bytes_written);
    CHECK(f->stats().touches_marked == 201);
    CHECK(f->stats().touches_coalesced == 191);
    CHECK(f->stats().touches_written == 10);
    CHECK(f->stats().touches_dropped == 0);
    CHECK(f->entry("k3")->access_count == 21);
  }

  TEST_CASE("touches of an entry that is still pending are written with it") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    for (int i = 0; i < 5; ++i) CHECK(f->get<int>("k"));
    CHECK(f->touch("k"));
    CHECK(f->entry("k")->access_count == 6);
    f->flush();
    CHECK(f->entry("k")->access_count == 6);
    CHECK(f->stats().touches_marked == 6);
    CHECK(f->stats().touches_dropped == 0);
  }

  TEST_CASE("accessed_at and access_count show the reads and an overwrite keeps both") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->flush();
    const auto stored = *f->entry("k");
    f.clock->advance(1h);
    for (int i = 0; i < 100; ++i) CHECK(f->get<int>("k") == 1);
    f->flush();
    const auto read = *f->entry("k");
    CHECK(read.access_count == 100);
    CHECK(read.accessed_at >= stored.accessed_at + Duration(1h).count());
    CHECK(read.inserted_at == stored.inserted_at);
    CHECK(read.computed_at == stored.computed_at);
    CHECK(f->put("k", 2));
    f->flush();
    const auto again = *f->entry("k");
    CHECK(again.access_count == 100);
    CHECK(again.inserted_at == read.inserted_at);
    CHECK(again.accessed_at == read.accessed_at);
    CHECK(again.computed_at == f.clock->wall_now());
    CHECK(f.shell("SELECT access_count FROM cache_entries") == "100\n");
  }

  TEST_CASE("touches of an erased row are dropped and counted") {
    CacheFixture f;
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->get<int>("k") == 1);
    CHECK(f->erase("k"));
    CHECK(f->put("k", 2));
    f->flush();
    CHECK(f->entry("k")->access_count == 0);
    CHECK(f->stats().touches_marked == 1);
    CHECK(f->stats().touches_written + f->stats().touches_dropped == 1);
  }

  TEST_CASE("flush writes touches in transactions of 1,000 rows") {
    CacheFixture f;
    f.fill("k", 2'500);
    f->flush();
    CHECK(f->get_many<std::string>(numbered("k", 2'500)).size() == 2'500);
    const std::int64_t before = f->stats().commits;
    f->flush();
    const Stats stats = f->stats();
    CHECK(stats.touches_written + stats.touches_dropped == 2'500);
    CHECK(stats.touches_dropped < 25);  // the table of marks may lose some
    CHECK(stats.commits - before == 3);
  }
}
