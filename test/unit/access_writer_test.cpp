#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"

// How touches and counters are written to the file.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

namespace {

void put_all(FakeEngine& fake, const std::vector<std::string>& keys) {
  fake.put_all(keys, "v");
  REQUIRE(fake.worker.flush().ok());
}

store::CalculationRow row_of(FakeEngine& fake, const engine::CalculationPtr& calculation) {
  return fake.file->state()->calculations.at(calculation->id);
}

engine::CalculationPtr known_calculation(FakeEngine& fake) {
  const auto words = fake.engine.catalog.add("Post", "words", 1, "");
  fake.file->change([&](auto& state) {
    for (const auto& row : fake.engine.catalog.take_unwritten()) state.calculations[row.id] = row;
  });
  return words;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("several reads of a row are written as one touch with the time of the last read") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    put_all(fake, {"a", "b", "c"});
    for (int i = 0; i < 5; ++i) CHECK(fake.get("a"));
    CHECK(fake.get("c"));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.faults->calls(Call::touch) == 2);
    CHECK(fake.file->row("a").access_count == 5);
    CHECK(fake.file->row("b").access_count == 0);
    CHECK(fake.file->row("c").access_count == 1);
    CHECK(fake.file->row("c").accessed_at > fake.file->row("a").accessed_at);
    CHECK(fake.engine.counters.touches_written.get() == 2);
    CHECK(fake.engine.access_buffer.empty());
  }

  TEST_CASE("many touches are written in several transactions") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto keys = test::numbered("k", 2'100);
    put_all(fake, keys);
    for (const std::string& key : keys) CHECK(fake.get(key));
    const std::int64_t before = fake.engine.counters.commits.get();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.commits.get() - before == 3);
    CHECK(fake.engine.counters.touches_written.get() == 2'100);
  }

  TEST_CASE("a transaction takes fewer touches of large rows") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto keys = test::numbered("k", 10);
    for (const std::string& key : keys) {
      const auto write = test::text_write(key, "v", 2 * MiB);
      REQUIRE(fake.engine.pending.offer(write, engine::Waited::no).accepted);
    }
    REQUIRE(fake.worker.flush().ok());
    for (const std::string& key : keys) CHECK(fake.get(key));
    const std::int64_t before = fake.engine.counters.commits.get();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.commits.get() - before == 5);
    CHECK(fake.engine.counters.touches_written.get() == 10);
    CHECK(fake.engine.access_buffer.empty());
  }

  TEST_CASE("touches remain in memory when their transaction cannot begin") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    put_all(fake, {"a", "b"});
    CHECK(fake.get("a"));
    CHECK(fake.get("b"));
    fake.faults->fail(Call::begin, FailureKind::busy);
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.touches_lost.get() == 0);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.touches_written.get() == 2);
  }

  TEST_CASE("a touch of an erased entry is counted as lost") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    put_all(fake, {"a", "b"});
    for (int i = 0; i < 4; ++i) CHECK(fake.get("a"));
    CHECK(fake.get("b"));
    CHECK(fake.erase("a") == 1);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.touches_lost.get() == 4);
    CHECK(fake.engine.counters.touches_written.get() == 1);
  }

  TEST_CASE("touches whose commit fails are counted as lost for each read") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto keys = test::numbered("k", 1'500);
    put_all(fake, keys);
    for (const std::string& key : keys) CHECK(fake.get(key));
    for (const std::string& key : keys) CHECK(fake.get(key));
    fake.faults->fail(Call::commit, FailureKind::io, 2, 1);
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.touches_written.get() == 1'000);
    CHECK(fake.engine.counters.touches_lost.get() == 1'000);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.touches_written.get() == 1'000);
  }

  TEST_CASE("counters of a calculation are added to its row") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = known_calculation(fake);
    words->unwritten.hits.add(3);
    words->unwritten.computed.add(2);
    REQUIRE(fake.worker.flush().ok());
    words->unwritten.hits.add(4);
    REQUIRE(fake.worker.flush().ok());
    CHECK(row_of(fake, words).hits == 7);
    CHECK(row_of(fake, words).computed == 2);
  }

  TEST_CASE("counters of a calculation are not lost when a write fails") {
    for (const Call call : {Call::begin, Call::add_counters, Call::commit}) {
      FakeEngine fake;
      REQUIRE(fake.open().ok());
      const auto words = known_calculation(fake);
      words->unwritten.hits.add(3);
      fake.faults->fail(call, FailureKind::busy);
      CHECK_FALSE(fake.worker.flush().ok());
      words->unwritten.hits.add(1);
      REQUIRE(fake.worker.flush().ok());
      CHECK(row_of(fake, words).hits == 4);
    }
  }

  TEST_CASE("touches and counters are written beside a row that the device cannot read") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = known_calculation(fake);
    const auto keys = test::numbered("k", 1'500);
    put_all(fake, keys);
    for (const std::string& key : keys) CHECK(fake.get(key));
    words->unwritten.hits.add(3);
    // The 400th row fails at each try.
    int touches = 0;
    bool is_second_try = false;
    fake.faults->before(Call::touch, [&] {
      if (++touches != 400 || is_second_try) return;
      fake.faults->fail_reading_always(Call::touch);
      is_second_try = true;
    });
    fake.faults->before(Call::begin, [&] {
      if (!is_second_try) return;
      fake.faults->heal();
    });
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.touches_written.get() == 1'499);
    CHECK(fake.engine.counters.touches_lost.get() == 1);
    CHECK(row_of(fake, words).hits == 3);
    CHECK(fake.health() == HealthState::ok);
  }

  TEST_CASE("counters are written although the device can read no row") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const auto words = known_calculation(fake);
    const auto keys = test::numbered("k", 100);
    put_all(fake, keys);
    for (const std::string& key : keys) CHECK(fake.get(key));
    words->unwritten.hits.add(3);
    fake.faults->fail_reading_always(Call::touch);
    REQUIRE(fake.worker.flush().ok());
    CHECK(row_of(fake, words).hits == 3);
    CHECK(fake.faults->calls(Call::touch) == 10);
    CHECK(fake.engine.counters.touches_lost.get() == 10);
    CHECK_FALSE(fake.engine.access_buffer.empty());
    fake.faults->heal();
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.engine.counters.touches_written.get() == 90);
  }

  TEST_CASE("a flush without touches and counters begins no transaction") {
    FakeEngine fake;
    REQUIRE(fake.open().ok());
    const int before = fake.faults->calls(Call::begin);
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.faults->calls(Call::begin) == before);
  }
}
