#include "engine/reading.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// The short way of a hit does what the long one does, or nothing.

using namespace ashmemo;
using engine::Answer;
using test::FakeEngine;
using test::FakeRow;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

/// Takes texts, or refuses all.
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

/// A cache whose tier has the entry "k", asked the one way or the other.
struct Asked : FakeEngine {
  explicit Asked(bool is_short) : is_short_way(is_short) {
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
    was_short = is_short_way && engine::hit_in_memory(engine, "k", sink);
    if (was_short) return sink.text;
    const engine::Query query{.key = "k"};
    Answer answer;
    const std::int64_t now =
        engine::read(engine, std::span(&query, 1), sink, std::span(&answer, 1));
    engine::settle(engine, std::span(&query, 1), std::span(&answer, 1), now);
    return answer.is_hit() ? sink.text : std::nullopt;
  }

  const bool is_short_way;
  bool was_short = false;
};

using Ask = std::function<std::optional<std::string>(Asked&)>;

std::vector<std::int64_t> counted(Asked& fake) {
  const engine::ReadSums sums = fake.engine.counters.reads.sums();
  std::vector<std::int64_t> all{sums.hits,
                                sums.stale_hits,
                                sums.memory_hits,
                                sums.misses,
                                sums.saved_us,
                                sums.touches_marked,
                                sums.touches_coalesced,
                                sums.touches_unplaced,
                                fake.engine.counters.undecodable.get()};
  for (const std::int64_t row : fake.engine.access_buffer.rows()) {
    const auto touch = fake.engine.access_buffer.take(row);
    REQUIRE(touch);
    all.insert(all.end(), {touch->rowid, touch->accessed_at, touch->count});
  }
  return all;
}

/// Whether the short way was gone.
bool does_the_same(const Ask& ask) {
  Asked on_short(true);
  Asked on_long(false);
  CHECK(ask(on_short) == ask(on_long));
  CHECK(counted(on_short) == counted(on_long));
  return on_short.was_short;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a fresh entry in memory is read the short way, with the same counts and marks") {
    CHECK(does_the_same([](Asked& fake) { return fake.read(); }));
    CHECK(does_the_same([](Asked& fake) {
      for (int i = 0; i < 100; ++i) (void)fake.read();
      return fake.read();
    }));
    CHECK(does_the_same([](Asked& fake) {
      fake.clock->advance(std::chrono::microseconds(10 * kSecond - 1));
      return fake.read();
    }));
  }

  TEST_CASE("what is not a fresh entry in memory is not read the short way") {
    for (const std::int64_t moment : {-1, 10, 20, 30}) {  // future, stale, kept, gone
      CAPTURE(moment);
      CHECK_FALSE(does_the_same([&](Asked& fake) {
        fake.clock->set_wall(fake.clock->wall_now() + moment * kSecond);
        return fake.read();
      }));
    }
    CHECK_FALSE(does_the_same([](Asked& fake) { return fake.read(false); }));  // does not decode
    CHECK_FALSE(does_the_same([](Asked& fake) {
      fake.put("k", "2");
      return fake.read();
    }));
    CHECK_FALSE(does_the_same([](Asked& fake) {
      fake.engine.closed = true;
      const auto text = fake.read();
      fake.engine.closed = false;
      return text;
    }));
    CHECK_FALSE(does_the_same([](Asked& fake) {
      while (fake.engine.tier_watch.stays_awake(fake.engine.counters.reads.sums().hits)) continue;
      return fake.read();
    }));
  }

  TEST_CASE("an entry that is fresh at both ends of a while is fresh throughout") {
    const engine::Deadlines entry{100, 200, 300, 400};
    CHECK(engine::is_fresh_throughout(entry, 100, 199));
    CHECK_FALSE(engine::is_fresh_throughout(entry, 99, 199));
    CHECK_FALSE(engine::is_fresh_throughout(entry, 100, 200));
    const engine::Deadlines out_of_order{100, 500, 300, 400};
    CHECK(engine::is_fresh_throughout(out_of_order, 100, 299));
    CHECK_FALSE(engine::is_fresh_throughout(out_of_order, 100, 300));
  }
}
