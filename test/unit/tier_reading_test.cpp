#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// A cache with a memory tier gives the same answers as a cache without one.

using namespace ashmemo;
using engine::Answer;
using engine::Query;
using test::Call;
using test::FakeEngine;
using test::FakeRow;
using Kind = Answer::Kind;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

Options with_memory(std::int64_t bytes) {
  Options options = FakeEngine::manual();
  options.memory_bytes = bytes;
  return options;
}

/// A cache that has read its entry "k", so that its memory tier, if any, contains it.
struct Asked : FakeEngine {
  explicit Asked(bool memory) : FakeEngine(with_memory(memory ? MiB : 0)), has_memory(memory) {}

  void plant(FakeRow row) {
    row.byte_size = 100;
    row.value = Value::text("1");
    file->plant("k", row);
    REQUIRE(open().ok());
    (void)ask({.key = "k"});
  }
  Answer answer(const Query& query) {
    const Answer answer = ask(query);
    CHECK(answer.in_memory == has_memory);
    return answer;
  }

  const bool has_memory;
};

/// A row with each deadline one second after the one before.
FakeRow expiring_row(std::int64_t computed_at) {
  FakeRow row;
  row.deadlines = {computed_at, computed_at + kSecond, computed_at + 2 * kSecond,
                   computed_at + 3 * kSecond};
  return row;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("an entry has the same freshness in memory as in the file") {
    for (const bool memory : {true, false}) {
      INFO(memory);
      Asked fake(memory);
      const std::int64_t start = fake.clock->wall_now();
      fake.plant(expiring_row(start));
      const auto at = [&](std::int64_t moment) {
        fake.clock->set_wall(start + moment);
        return fake.answer({.key = "k"});
      };
      CHECK(at(-1).kind == Kind::expired);  // from the future
      CHECK(at(0).freshness == Freshness::fresh);
      CHECK(at(kSecond - 1).freshness == Freshness::fresh);
      CHECK(at(kSecond).freshness == Freshness::stale);
      CHECK(at(2 * kSecond - 1).freshness == Freshness::stale);
      CHECK(at(2 * kSecond - 1).kind == Kind::found);
      CHECK(at(2 * kSecond).kind == Kind::expired);
      CHECK(at(2 * kSecond).freshness == Freshness::kept);
      CHECK(at(3 * kSecond).freshness == Freshness::gone);
      CHECK(at(0).freshness == Freshness::fresh);  // set back; the entry was not removed
    }
  }

  TEST_CASE("a shorter lifetime in the query expires an entry in memory earlier") {
    for (const bool memory : {true, false}) {
      INFO(memory);
      Asked fake(memory);
      FakeRow row;
      row.deadlines.computed_at = fake.clock->wall_now();
      fake.plant(row);
      const Query shorter{.key = "k", .lifetimes = {kSecond, kSecond, kSecond}};
      CHECK(fake.answer(shorter).kind == Kind::found);
      fake.clock->advance(std::chrono::seconds(1));
      CHECK(fake.answer(shorter).kind == Kind::expired);
      CHECK(fake.answer({.key = "k"}).kind == Kind::found);
    }
  }

  TEST_CASE("record versions and calculations are compared in memory as in the file") {
    for (const bool memory : {true, false}) {
      INFO(memory);
      Asked fake(memory);
      const auto words = fake.engine.catalog.add("Post", "words", 1, "");
      const auto chars = fake.engine.catalog.add("Post", "chars", 1, "");
      FakeRow row;
      row.deadlines.computed_at = fake.clock->wall_now();
      row.calculation_id = words->id;
      row.record_version = Value::text("5");
      row.cost_us = 77;
      fake.plant(row);
      const auto kind = [&](const auto& calculation, ValueView version) {
        return fake.answer({"k", calculation.get(), version, {}}).kind;
      };
      CHECK(kind(words, ValueView::text("5")) == Kind::found);
      CHECK(kind(words, ValueView::text("6")) == Kind::missing);
      CHECK(kind(words, ValueView::blob("5")) == Kind::missing);
      CHECK(kind(words, ValueView::integer(5)) == Kind::missing);
      CHECK(kind(words, {}) == Kind::missing);
      CHECK(kind(chars, ValueView::text("5")) == Kind::missing);
      const Answer any = fake.answer({.key = "k"});
      CHECK(any.kind == Kind::found);
      CHECK(any.rowid == 1);
      CHECK(any.cost_us == 77);
      fake.engine.catalog.renew(words);
      CHECK(kind(words, ValueView::text("5")) == Kind::missing);
      CHECK(fake.answer({.key = "k"}).kind == Kind::missing);
    }
  }

  TEST_CASE("a value in memory that cannot be decoded is reported") {
    for (const bool memory : {true, false}) {
      INFO(memory);
      Asked fake(memory);
      FakeRow row;
      row.deadlines.computed_at = fake.clock->wall_now();
      row.value = Value::integer(5);
      fake.file->plant("k", row);
      REQUIRE(fake.open().ok());
      (void)fake.ask({.key = "k"});
      CHECK(fake.answer({.key = "k"}).kind == Kind::undecodable);
    }
  }

  TEST_CASE("a batch is answered from memory, queue and file in the order of its queries") {
    FakeEngine fake(with_memory(MiB));
    REQUIRE(fake.open().ok());
    fake.put_all({"a", "b", "c"}, "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("b") == "1");
    fake.put("d", "2");
    class Texts final : public engine::ValueSink {
     public:
      bool take(std::size_t index, Freshness, ValueView value) override {
        texts[index] = std::string(value.bytes());
        return true;
      }
      [[nodiscard]] bool in_place(std::size_t) const noexcept override { return false; }
      std::vector<std::string> texts = std::vector<std::string>(6);
    };
    const std::vector<Query> queries = {{.key = "c"}, {.key = "b"}, {.key = "d"},
                                        {.key = "x"}, {.key = "b"}, {.key = "c"}};
    for (const bool again : {false, true}) {
      INFO(again);
      std::vector<Answer> answers(queries.size());
      Texts sink;
      engine::read(fake.engine, queries, sink, answers);
      CHECK(sink.texts == std::vector<std::string>{"1", "1", "2", "", "1", "1"});
      CHECK(answers[1].in_memory);
      CHECK(answers[4].in_memory);
      CHECK(answers[0].in_memory == again);
      CHECK(answers[5].in_memory == again);
      CHECK(answers[2].pending);
      CHECK_FALSE(answers[2].in_memory);
      CHECK(answers[3].kind == Kind::missing);
    }
  }

  TEST_CASE("a key in memory is found while the file cannot be read") {
    FakeEngine fake(with_memory(MiB));
    REQUIRE(fake.open().ok());
    fake.put("k", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("k") == "1");
    fake.faults->fail_always(Call::read, base::FailureKind::io);
    CHECK(fake.get("k") == "1");
    CHECK(fake.ask({.key = "other"}).kind == Kind::unread);
  }

  TEST_CASE("a closed cache finds nothing in memory") {
    FakeEngine fake(with_memory(MiB));
    REQUIRE(fake.open().ok());
    fake.put("k", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("k") == "1");
    fake.close();
    CHECK_FALSE(fake.get("k"));
    CHECK(fake.engine.tier->usage().entries == 0);
  }

  TEST_CASE("a read-only cache and a cache with memory_bytes of 0 have no tier") {
    CHECK(FakeEngine(with_memory(0)).engine.tier.get() == nullptr);
    Options options = with_memory(MiB);
    options.access = Access::read_only;
    CHECK(FakeEngine(options).engine.tier.get() == nullptr);
  }
}
