#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "reading_fixture.hpp"

// How reads count hits and misses, and mark the entries that they hit.

using namespace ashmemo;
using engine::Answer;
using engine::Query;
using test::Call;
using test::FakeEngine;
using test::FakeRow;
using test::query;
using test::text_row;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("each key counts once as a hit, a stale hit or a miss with its reason") {
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

  TEST_CASE("hits and misses count for their calculation with the time that they saved") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "");
    FakeRow row = text_row(fake, "1", words->id);
    row.cost_us = 700;
    fake.file->plant("a", row);
    const std::vector<Query> queries{query("a", words.get()), query("b", words.get()), query("c")};
    std::vector<Answer> answers;
    for (const Query& one : queries) answers.push_back(fake.ask(one));
    engine::record_answers(fake.engine, queries, answers, fake.clock->wall_now());
    for (const auto* counters : {&words->since_open, &words->unwritten}) {
      CHECK(counters->hits.get() == 1);
      CHECK(counters->misses.get() == 1);
      CHECK(counters->saved_us.get() == 700);
    }
    CHECK(fake.engine.counters.reads.sums().misses == 2);
    CHECK(fake.engine.counters.reads.sums().saved.count() == 700);
  }

  TEST_CASE("several hits of a stored or pending entry are coalesced into one touch") {
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

  TEST_CASE("count_live counts no hits or misses and marks no entries") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    const std::vector<Query> queries{query("a"), query("b")};
    CHECK(engine::count_live(fake.engine, queries) == 1);
    CHECK(fake.engine.counters.reads.sums().hits == 0);
    CHECK(fake.engine.counters.reads.sums().misses == 0);
    CHECK(fake.engine.access_buffer.empty());
  }

  TEST_CASE("touch marks live entries and returns their number") {
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
