#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// What reads leave behind: counts, and marks of the hits.

using namespace ashmemo;
using engine::Answer;
using engine::Query;
using test::Call;
using test::FakeEngine;
using test::FakeRow;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

Query query(std::string_view key, engine::CalculationState* calculation = nullptr) {
  return {key, calculation, {}, {}};
}

/// A row that is fresh now and for ever.
FakeRow text_row(const FakeEngine& fake, std::string text, std::int64_t calculation_id = 0) {
  FakeRow row;
  row.byte_size = 100;
  row.deadlines.computed_at = fake.clock->wall_now();
  row.calculation_id = calculation_id;
  row.value = Value::text(std::move(text));
  return row;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("50 each key counts once: as a hit, a stale hit or a miss with its reason") {
    FakeEngine fake;
    FakeRow number = text_row(fake, "");
    number.value = Value::integer(5);
    fake.file->plant("number", number);
    fake.file->plant("stored", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.put("stale", "1", {1, kSecond, kSecond});
    fake.put("over", "1", {1, 1, 1});
    fake.clock->advance(Duration::microseconds(10));
    for (const char* key : {"stored", "stale", "over", "number", "neither"}) {
      static_cast<void>(fake.get(key));
    }
    fake.faults->fail(Call::read, base::FailureKind::io);
    static_cast<void>(fake.get("another"));
    const engine::Counters& counters = fake.engine.counters;
    CHECK(counters.reads.sums().hits == 1);
    CHECK(counters.reads.sums().stale_hits == 1);
    CHECK(counters.reads.sums().misses == 4);
    CHECK(counters.expired_misses.get() == 1);
    CHECK(counters.undecodable.get() == 1);
    CHECK(counters.unread.get() == 1);
  }

  TEST_CASE("50 hits and misses count for their calculations too, with the time they saved") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "");
    FakeRow row = text_row(fake, "1", words->id);
    row.cost_us = 700;
    fake.file->plant("a", row);
    const std::vector<Query> queries{query("a", words.get()), query("b", words.get()), query("c")};
    std::vector<Answer> answers;
    for (const Query& one : queries) answers.push_back(fake.ask(one));
    engine::settle(fake.engine, queries, answers, fake.clock->wall_now());
    for (const auto* counters : {&words->since_open, &words->unwritten}) {
      CHECK(counters->hits.get() == 1);
      CHECK(counters->misses.get() == 1);
      CHECK(counters->saved_us.get() == 700);
    }
    CHECK(fake.engine.counters.reads.sums().misses == 2);
    CHECK(fake.engine.counters.reads.sums().saved_us == 700);
  }

  TEST_CASE("a hit leaves one mark; more of them are coalesced, also on what is pending") {
    FakeEngine fake;
    fake.file->plant("stored", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.put("pending", "1");
    for (int i = 0; i < 3; ++i) {
      CHECK(fake.get("stored"));
      CHECK(fake.get("pending"));
      CHECK_FALSE(fake.get("neither"));
    }
    CHECK(fake.engine.counters.reads.sums().touches_marked == 6);
    CHECK(fake.engine.counters.reads.sums().touches_coalesced == 4);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->row("stored").access_count == 3);
    CHECK(fake.file->row("pending").access_count == 3);
    CHECK(fake.file->row("stored").accessed_at > fake.file->row("stored").inserted_at);
  }

  TEST_CASE("10 looking whether entries are there counts nothing and marks nothing") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    const std::vector<Query> queries{query("a"), query("b")};
    CHECK(engine::count_live(fake.engine, queries) == 1);
    CHECK(fake.engine.counters.reads.sums().hits == 0);
    CHECK(fake.engine.counters.reads.sums().misses == 0);
    CHECK(fake.engine.access_buffer.empty());
  }

  TEST_CASE("35 touching marks live entries and says how many there were") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.put("over", "1", {1, 1, 1});
    fake.clock->advance(Duration::microseconds(5));
    const std::vector<Query> queries{query("a"), query("b"), query("over")};
    CHECK(engine::touch(fake.engine, queries) == 1);
    CHECK(fake.engine.counters.reads.sums().hits == 0);
    CHECK(fake.engine.counters.reads.sums().touches_marked == 1);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.file->row("a").access_count == 1);
  }
}
