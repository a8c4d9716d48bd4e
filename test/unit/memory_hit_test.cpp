#include "engine/reading.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// The fast path for a hit in memory returns and counts the same as the full path, or refuses.

using namespace ashmemo;
using engine::Answer;
using test::FakeEngine;
using test::FakeRow;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

/// Accepts texts, or refuses all values.
class Sink final : public engine::ValueSink {
 public:
  explicit Sink(bool takes) : takes_(takes) {}
  bool take(std::size_t, Freshness, ValueView value) override {
    if (takes_) text = value.bytes();
    return takes_;
  }
  [[nodiscard]] bool in_place(std::size_t) const noexcept override { return true; }

  std::optional<std::string> text;

 private:
  const bool takes_;
};

/// An engine with the entry "k" in its memory tier. Reads try the fast path first, or use only the
/// full path.
struct PathFixture : FakeEngine {
  explicit PathFixture(bool is_fast) : has_fast_path(is_fast) {
    FakeRow row;
    const std::int64_t start = clock->wall_now();
    row.deadlines = {start, start + 10 * kSecond, start + 20 * kSecond, start + 30 * kSecond};
    row.cost_us = 7;
    row.byte_size = 100;
    row.value = Value::text("1");
    file->plant("k", row);
    REQUIRE(open().ok());
    (void)ask({.key = "k"});
  }

  std::optional<std::string> read(bool takes = true) {
    Sink sink(takes);
    was_fast = has_fast_path && engine::hit_in_memory(engine, "k", sink);
    if (was_fast) return sink.text;
    const engine::Query query{.key = "k"};
    Answer answer;
    const std::int64_t now =
        engine::read(engine, std::span(&query, 1), sink, std::span(&answer, 1));
    engine::record_answers(engine, std::span(&query, 1), std::span(&answer, 1), now);
    return answer.is_hit() ? sink.text : std::nullopt;
  }

  const bool has_fast_path;
  bool was_fast = false;
};

using Read = std::function<std::optional<std::string>(PathFixture&)>;

std::vector<std::int64_t> counted(PathFixture& fake) {
  const ashmemo::Stats sums = fake.engine.counters.reads.sums();
  std::vector<std::int64_t> all{sums.hits,
                                sums.stale_hits,
                                sums.memory_hits,
                                sums.misses,
                                sums.saved.count(),
                                sums.touches_marked,
                                sums.touches_coalesced,
                                sums.touches_dropped,
                                fake.engine.counters.undecodable.get()};
  for (const std::int64_t row : fake.engine.access_buffer.rows()) {
    const auto touch = fake.engine.access_buffer.take(row);
    REQUIRE(touch);
    all.insert(all.end(), {touch->rowid, touch->accessed_at, touch->count});
  }
  return all;
}

/// Compares both paths. Returns true if the fast path answered.
bool fast_path_answers(const Read& read) {
  PathFixture on_fast(true);
  PathFixture on_full(false);
  CHECK(read(on_fast) == read(on_full));
  CHECK(counted(on_fast) == counted(on_full));
  return on_fast.was_fast;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the fast path reads a fresh entry in memory with the same counts and touches") {
    CHECK(fast_path_answers([](PathFixture& fake) { return fake.read(); }));
    CHECK(fast_path_answers([](PathFixture& fake) {
      for (int i = 0; i < 100; ++i) (void)fake.read();
      return fake.read();
    }));
    CHECK(fast_path_answers([](PathFixture& fake) {
      fake.clock->advance(std::chrono::microseconds(10 * kSecond - 1));
      return fake.read();
    }));
  }

  TEST_CASE("the fast path refuses an entry that is not fresh or not in memory") {
    for (const std::int64_t moment : {-1, 10, 20, 30}) {  // future, stale, kept, gone
      CAPTURE(moment);
      CHECK_FALSE(fast_path_answers([&](PathFixture& fake) {
        fake.clock->set_wall(fake.clock->wall_now() + moment * kSecond);
        return fake.read();
      }));
    }
    // The value does not decode.
    CHECK_FALSE(fast_path_answers([](PathFixture& fake) { return fake.read(false); }));
    CHECK_FALSE(fast_path_answers([](PathFixture& fake) {
      fake.put("k", "2");
      return fake.read();
    }));
    CHECK_FALSE(fast_path_answers([](PathFixture& fake) {
      fake.engine.closed = true;
      const auto text = fake.read();
      fake.engine.closed = false;
      return text;
    }));
    CHECK_FALSE(fast_path_answers([](PathFixture& fake) {
      while (fake.engine.tier_watch.stays_awake(fake.engine.counters.reads.sums().hits)) continue;
      return fake.read();
    }));
  }

  TEST_CASE("an entry that is fresh at both ends of an interval is fresh throughout") {
    const engine::Deadlines entry{100, 200, 300, 400};
    CHECK(engine::is_fresh_throughout(entry, 100, 199));
    CHECK_FALSE(engine::is_fresh_throughout(entry, 99, 199));
    CHECK_FALSE(engine::is_fresh_throughout(entry, 100, 200));
    const engine::Deadlines out_of_order{100, 500, 300, 400};
    CHECK(engine::is_fresh_throughout(out_of_order, 100, 299));
    CHECK_FALSE(engine::is_fresh_throughout(out_of_order, 100, 300));
  }
}
