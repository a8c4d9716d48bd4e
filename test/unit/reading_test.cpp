#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

using namespace ashmemo;
using engine::Answer;
using engine::Query;
using test::Call;
using test::FakeEngine;
using test::FakeRow;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

Query query(std::string_view key, engine::CalculationState* calculation = nullptr,
            ValueView version = {}) {
  return {key, calculation, version, {}};
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

/// Collects texts; of the others it says that they do not decode.
class Texts final : public engine::ValueSink {
 public:
  explicit Texts(std::size_t size, bool in_place = true) : texts(size), in_place_(in_place) {}
  bool take(std::size_t index, Freshness, ValueView value) override {
    ++taken;
    if (throws) throw std::runtime_error("the sink throws");
    if (value.type() != ValueType::text) return false;
    texts[index] = std::string(value.bytes());
    return true;
  }
  [[nodiscard]] bool in_place(std::size_t) const noexcept override { return in_place_; }

  std::vector<std::optional<std::string>> texts;
  int taken = 0;
  bool throws = false;

 private:
  bool in_place_;
};

struct Read {
  Read(FakeEngine& fake, const std::vector<Query>& queries, bool want_kept = false,
       bool in_place = true)
      : sink(queries.size(), in_place), answers(queries.size()) {
    engine::read(fake.engine, queries, sink, answers, want_kept);
  }
  Texts sink;
  std::vector<Answer> answers;
};

using Kind = Answer::Kind;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("16 an empty batch asks nobody") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const Read read(fake, {});
    CHECK(fake.faults->calls(Call::read) == 0);
  }

  TEST_CASE("17 19 pending writes and rows answer in the order asked") {
    FakeEngine fake;
    fake.file->plant("stored", text_row(fake, "from the file"));
    REQUIRE(fake.open().ok());
    fake.put("pending", "from the queue");
    const Read read(fake, {query("pending"), query("neither"), query("stored")});
    CHECK(read.sink.texts[0] == "from the queue");
    CHECK_FALSE(read.sink.texts[1]);
    CHECK(read.sink.texts[2] == "from the file");
    CHECK(read.answers[0].kind == Kind::found);
    CHECK(read.answers[0].pending);
    CHECK(read.answers[0].rowid == 0);
    CHECK(read.answers[1].kind == Kind::missing);
    CHECK(read.answers[2].rowid == 1);
    CHECK(fake.faults->calls(Call::read) == 1);
  }

  TEST_CASE("what is pending wholly does not ask the store") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    CHECK(fake.get("a") == "1");
    CHECK(fake.faults->calls(Call::read) == 0);
  }

  TEST_CASE("18 a key that is asked for twice is looked up once and answered twice") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    int rows = 0;
    fake.faults->before(Call::read, [&rows] { ++rows; });
    const Read read(fake, {query("a"), query("b"), query("a")});
    CHECK(read.sink.texts[0] == "1");
    CHECK(read.sink.texts[2] == "1");
    CHECK(rows == 1);
  }

  TEST_CASE("more than 10,000 keys are read from several states of the file") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const std::vector<std::string> keys = test::numbered("k", 10'001);
    std::vector<Query> queries;
    for (const std::string& key : keys) queries.push_back(query(key));
    const Read read(fake, queries);
    CHECK(fake.faults->calls(Call::read) == 2);
    CHECK(read.answers.back().kind == Kind::missing);
  }

  TEST_CASE("a pending removal hides the row; the store is not asked for it") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::begin, base::FailureKind::busy);
    fake.queue_removal("a");
    const Read read(fake, {query("a")});
    CHECK(read.answers[0].kind == Kind::missing);
    CHECK(fake.faults->calls(Call::read) == 0);
  }

  TEST_CASE("28 29 an entry is found until just before its expiry, pending or stored") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1", {kSecond, kSecond, kSecond});
    bool stored = false;
    SUBCASE("pending") {}
    SUBCASE("stored") { stored = true; }
    if (stored) REQUIRE(fake.worker.flush().ok());
    fake.clock->advance(Duration::microseconds(kSecond - 1));
    CHECK(fake.ask(query("a")).kind == Kind::found);
    fake.clock->advance(Duration::microseconds(1));
    CHECK(fake.ask(query("a")).kind == Kind::expired);
    CHECK(fake.file->has("a") == stored);
  }

  TEST_CASE("33 an entry from the future is a miss until the clock has passed it again") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    const std::int64_t then = fake.clock->wall_now();
    fake.clock->set_wall(then - kSecond);
    CHECK_FALSE(fake.get("a"));
    fake.clock->set_wall(then);
    CHECK(fake.get("a") == "1");
  }

  TEST_CASE("the clock is asked after the row was read") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    // Stored between the beginning of the read and its snapshot: not from the future.
    fake.faults->before(Call::read, [&fake] {
      fake.clock->advance(std::chrono::seconds(5));
      fake.file->plant("a", text_row(fake, "new"));
    });
    CHECK(fake.get("a") == "new");
  }

  TEST_CASE("stale and kept entries answer as they are asked for") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1", {kSecond, 2 * kSecond, 3 * kSecond});
    fake.clock->advance(std::chrono::milliseconds(1'500));
    const Answer stale = fake.ask(query("a"));
    CHECK(stale.freshness == Freshness::stale);
    CHECK(stale.is_hit());
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.ask(query("a")).kind == Kind::expired);
    const Read kept(fake, {query("a")}, true);
    CHECK(kept.answers[0].kind == Kind::found);
    CHECK(kept.answers[0].freshness == Freshness::kept);
    CHECK_FALSE(kept.answers[0].is_hit());
    CHECK(kept.sink.texts[0] == "1");
  }

  TEST_CASE("an earlier deadline of today's policy counts") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1", {10 * kSecond, 10 * kSecond, 10 * kSecond});
    fake.clock->advance(std::chrono::seconds(5));
    Query shorter = query("a");
    shorter.lifetimes = {kSecond, kSecond, kSecond};
    CHECK(fake.ask(shorter).kind == Kind::expired);
    CHECK(fake.ask(query("a")).kind == Kind::found);
  }

  TEST_CASE("a calculation is answered by its own current results only") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "");
    const auto chars = fake.engine.catalog.add("Post", "chars", 1, "");
    fake.file->plant("a", text_row(fake, "1", words->id));
    CHECK(fake.ask(query("a", words.get())).kind == Kind::found);
    CHECK(fake.ask(query("a", chars.get())).kind == Kind::missing);
    CHECK(fake.ask(query("a")).kind == Kind::found);
    fake.engine.catalog.renew(words);
    CHECK(fake.ask(query("a", words.get())).kind == Kind::missing);
    CHECK(fake.ask(query("a")).kind == Kind::missing);
  }

  TEST_CASE("a changed record is a miss, also one that changed back to an older version") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "");
    FakeRow row = text_row(fake, "1", words->id);
    row.record_version = Value::integer(5);
    fake.file->plant("a", row);
    CHECK(fake.ask(query("a", words.get(), ValueView::integer(5))).kind == Kind::found);
    CHECK(fake.ask(query("a", words.get(), ValueView::integer(4))).kind == Kind::missing);
    CHECK(fake.ask(query("a", words.get(), ValueView::integer(6))).kind == Kind::missing);
    CHECK(fake.ask(query("a", words.get(), ValueView::real(5))).kind == Kind::missing);
    CHECK(fake.ask(query("a", words.get())).kind == Kind::missing);
  }

  TEST_CASE("one key with two record versions is answered for the one that is there") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = fake.engine.catalog.add("Post", "words", 1, "");
    FakeRow row = text_row(fake, "1", words->id);
    row.record_version = Value::integer(5);
    fake.file->plant("a", row);
    const Read read(fake, {query("a", words.get(), ValueView::integer(4)),
                           query("a", words.get(), ValueView::integer(5))});
    CHECK(read.answers[0].kind == Kind::missing);
    CHECK(read.answers[1].kind == Kind::found);
  }

  TEST_CASE("a value that does not decode is told, in place or from a copy") {
    for (const bool in_place : {true, false}) {
      FakeEngine fake;
      FakeRow row = text_row(fake, "");
      row.value = Value::integer(5);
      fake.file->plant("number", row);
      fake.file->plant("text", text_row(fake, "1"));
      REQUIRE(fake.open().ok());
      const Read read(fake, {query("number"), query("text")}, false, in_place);
      CHECK(read.answers[0].kind == Kind::undecodable);
      CHECK(read.answers[1].kind == Kind::found);
      CHECK(read.sink.texts[1] == "1");
    }
  }

  TEST_CASE("a sink that decodes elsewhere gets its copies after the store was read") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.put("b", "2");
    const Read read(fake, {query("a"), query("b"), query("a")}, false, false);
    CHECK(read.sink.texts[0] == "1");
    CHECK(read.sink.texts[1] == "2");
    CHECK(read.sink.texts[2] == "1");
    CHECK(read.sink.taken == 3);
  }

  TEST_CASE("what a sink throws reaches the caller, and the cache goes on") {
    for (const bool pending : {true, false}) {
      for (const bool in_place : {true, false}) {
        FakeEngine fake;
        REQUIRE(fake.open().ok());
        fake.put("a", "1");
        if (!pending) REQUIRE(fake.worker.flush().ok());
        const Query one = query("a");
        Texts sink(1, in_place);
        sink.throws = true;
        Answer answer;
        CHECK_THROWS_AS(engine::read(fake.engine, std::span(&one, 1), sink, std::span(&answer, 1)),
                        std::runtime_error);
        CHECK(fake.get("a") == "1");
      }
    }
  }

  TEST_CASE("66 a store that cannot be read makes misses, which say so") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.put("b", "2");
    fake.faults->fail(Call::read, base::FailureKind::io);
    const Read read(fake, {query("a"), query("b"), query("c")});
    CHECK(read.answers[0].kind == Kind::unread);
    CHECK(read.answers[1].kind == Kind::found);
    CHECK(read.answers[2].kind == Kind::unread);
    CHECK(fake.get("a") == "1");
  }

  TEST_CASE("66 without a store everything that is not pending is unread") {
    FakeEngine fake;
    const Read read(fake, {query("a")});
    CHECK(read.answers[0].kind == Kind::unread);
  }

  TEST_CASE("61 after closing nothing is read") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.close();
    const Read read(fake, {query("a")});
    CHECK(read.answers[0].kind == Kind::unread);
    CHECK(fake.faults->calls(Call::read) == 0);
  }
}
