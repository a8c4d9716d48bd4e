#include <chrono>
#include <string>
#include <string_view>
#include <system_error>

#include <doctest/doctest.h>

#include "submit_fixture.hpp"
#include "support/rendezvous.hpp"

// A cache in thread mode whose thread could not start. Its callers do the work of the worker.

using namespace ashmemo;
using base::FailureKind;
using test::AtTestPoints;
using test::Call;
using test::FakeEngine;
using test::FakeRow;

namespace {

const std::string kFillsTheQueue(60'000, 'x');

Options in_thread_mode() {
  Options options = test::with_small_queue();
  options.hooks.worker = WorkerMode::thread;
  return options;
}

struct WithoutThread : FakeEngine {
  explicit WithoutThread(bool has_file = true) : FakeEngine(in_thread_mode()) {
    if (has_file) {
      REQUIRE(open().ok());
    } else {
      worker.start_without_store({FailureKind::io, 0, "no such folder"});
    }
    const AtTestPoints points([](std::string_view point) {
      if (point != "system: starts a thread") return;
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    });
    const base::Status started = worker.start();
    REQUIRE_FALSE(started.ok());
    worker.go_on_without_thread(started.failure());
    CHECK(recorded->count(NoticeKind::worker_failed) == 1);
  }
};

void change_as_another_program(FakeEngine& fake, const std::string& value) {
  FakeRow row;
  row.byte_size = 100;
  row.value = Value::text(value);
  fake.file->plant("k", row);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("without its thread a cache tries a store again that refused to free space") {
    WithoutThread fake;
    fake.faults->fail_always(Call::begin, FailureKind::busy);
    CHECK(fake.put("a", kFillsTheQueue) == 1);
    CHECK(fake.put("b", kFillsTheQueue) == 0);
    fake.faults->heal();
    CHECK(fake.put("b", kFillsTheQueue) == 0);
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.put("b", kFillsTheQueue) == 1);
    CHECK(fake.file->has("a"));
  }

  TEST_CASE("without its thread a cache opens its file when that can be opened") {
    WithoutThread fake(false);
    CHECK(fake.put("a", "1") == 0);
    fake.clock->advance(std::chrono::minutes(1));
    SUBCASE("by a put") {}
    SUBCASE("by a read") { CHECK_FALSE(fake.get("b")); }
    CHECK(fake.put("a", "2") == 1);
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.get("a") == "2");
    CHECK(fake.file->has("a"));
    CHECK(fake.health() == HealthState::ok);
  }

  TEST_CASE("without its thread a cache runs at most one pass a second") {
    WithoutThread fake;
    int passes = 0;
    fake.faults->before(Call::vacuum, [&] { ++passes; });  // every pass calls it
    for (int second = 0; second < 3; ++second) {
      for (int i = 0; i < 10; ++i) {
        CHECK(fake.put("a", "1") == 1);
        CHECK(fake.get("b") == std::nullopt);
      }
      fake.clock->advance(std::chrono::seconds(1));
    }
    CHECK(passes == 3);
  }

  TEST_CASE("without its thread the memory tier sees the changes of other programs") {
    WithoutThread fake;
    change_as_another_program(fake, "1");
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.get("k") == "1");
    CHECK(fake.ask({.key = "k"}).in_memory);
    change_as_another_program(fake, "2");
    fake.clock->advance(std::chrono::seconds(1));
    CHECK(fake.get("k") == "2");
  }
}
