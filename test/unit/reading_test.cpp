#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "reading_fixture.hpp"

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

/// Collects texts and rejects values of other types as undecodable.
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
  TEST_CASE("reading an empty batch does not call the store") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const Read read(fake, {});
    CHECK(fake.faults->calls(Call::read) == 0);
  }

  TEST_CASE("a read returns pending and stored values in the order of the queries") {
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

  TEST_CASE("a read of pending keys does not call the store") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    CHECK(fake.get("a") == "1");
    CHECK(fake.faults->calls(Call::read) == 0);
  }

  TEST_CASE("a key that is queried twice is read once and answered twice") {
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

  TEST_CASE("a read of more than 10,000 keys uses several snapshots") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const std::vector<std::string> keys = test::numbered("k", 10'001);
    std::vector<Query> queries;
    for (const std::string& key : keys) queries.push_back(query(key));
    const Read read(fake, queries);
    CHECK(fake.faults->calls(Call::read) == 2);
    CHECK(read.answers.back().kind == Kind::missing);
  }

  TEST_CASE("a pending removal hides the row without a call of the store") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.faults->fail_always(Call::begin, base::FailureKind::busy);
    fake.queue_removal("a");
    const Read read(fake, {query("a")});
    CHECK(read.answers[0].kind == Kind::missing);
    CHECK(fake.faults->calls(Call::read) == 0);
  }

  TEST_CASE("an entry is found until just before it expires") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1", {kSecond, kSecond, kSecond});
    bool stored = false;
    SUBCASE("the entry is pending") {}
    SUBCASE("the entry is stored") { stored = true; }
    if (stored) REQUIRE(fake.worker.flush().ok());
    fake.clock->advance(Duration::microseconds(kSecond - 1));
    CHECK(fake.ask(query("a")).kind == Kind::found);
    fake.clock->advance(Duration::microseconds(1));
    CHECK(fake.ask(query("a")).kind == Kind::expired);
    CHECK(fake.file->has("a") == stored);
  }

  TEST_CASE("an entry from the future is a miss until the clock reaches its time") {
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

  TEST_CASE("a read asks the clock after it read the row") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    // The row is stored between the start of the read and its snapshot. It must not count as an
    // entry from the future.
    fake.faults->before(Call::read, [&fake] {
      fake.clock->advance(std::chrono::seconds(5));
      fake.file->plant("a", text_row(fake, "new"));
    });
    CHECK(fake.get("a") == "new");
  }

  TEST_CASE("a read returns stale entries and, only on request, kept ones") {
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

  TEST_CASE("a shorter lifetime in the query expires an entry earlier") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    fake.put("a", "1", {10 * kSecond, 10 * kSecond, 10 * kSecond});
    fake.clock->advance(std::chrono::seconds(5));
    Query shorter = query("a");
    shorter.lifetimes = {kSecond, kSecond, kSecond};
    CHECK(fake.ask(shorter).kind == Kind::expired);
    CHECK(fake.ask(query("a")).kind == Kind::found);
  }

  TEST_CASE("a calculation finds only its own current results") {
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

  TEST_CASE("a query with another record version is a miss") {
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

  TEST_CASE("a key queried with two record versions is found only for the stored version") {
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

  TEST_CASE("a value that cannot be decoded is reported in place and from a copy") {
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

  TEST_CASE("a sink that does not decode in place receives all values") {
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

  TEST_CASE("an exception of the sink reaches the caller and the cache still works") {
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

  TEST_CASE("a key is unread when the store cannot be read") {
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

  TEST_CASE("a key is unread when there is no store") {
    FakeEngine fake;
    const Read read(fake, {query("a")});
    CHECK(read.answers[0].kind == Kind::unread);
  }

  TEST_CASE("a read after close does not call the store") {
    FakeEngine fake;
    fake.file->plant("a", text_row(fake, "1"));
    REQUIRE(fake.open().ok());
    fake.close();
    const Read read(fake, {query("a")});
    CHECK(read.answers[0].kind == Kind::unread);
    CHECK(fake.faults->calls(Call::read) == 0);
  }
}
