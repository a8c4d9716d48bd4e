#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/engine.hpp"
#include "support/fake_store.hpp"
#include "support/system_calls.hpp"

using namespace ashmemo;
using engine::resolve;
using engine::ResolvedLimits;

TEST_SUITE("unit") {
  TEST_CASE("a limit that is not set has its documented default") {
    const ResolvedLimits limits = resolve({});
    CHECK(limits.max_entries == base::kForever);
    CHECK(limits.max_bytes == 256 * MiB);
    CHECK(limits.max_entry_bytes == 32 * MiB);
    CHECK(limits.max_wal_bytes == 64 * MiB);
    CHECK(limits.default_max_bytes);
  }

  TEST_CASE("the default limit for one entry is an eighth of max_bytes and at most 64 MiB") {
    Limits limits;
    limits.max_bytes = 8'000;
    CHECK(resolve(limits).max_entry_bytes == 1'000);
    CHECK_FALSE(resolve(limits).default_max_bytes);
    limits.max_bytes = unlimited;
    CHECK(resolve(limits).max_bytes == base::kForever);
    CHECK(resolve(limits).max_entry_bytes == 64 * MiB);
    limits.max_entry_bytes = 100 * MiB;
    CHECK(resolve(limits).max_entry_bytes == 100 * MiB);
    limits.max_bytes = 0;
    limits.max_entry_bytes = {};
    CHECK(resolve(limits).max_entry_bytes == 0);
  }

  TEST_CASE("the default limit for the log is a quarter of max_bytes and at least 8 MiB") {
    Limits limits;
    limits.max_bytes = 4 * MiB;
    CHECK(resolve(limits).max_wal_bytes == 8 * MiB);
    limits.max_bytes = GiB;
    CHECK(resolve(limits).max_wal_bytes == 256 * MiB);
    limits.max_wal_bytes = 10 * MiB;
    CHECK(resolve(limits).max_wal_bytes == 10 * MiB);
  }

  TEST_CASE("LimitsCell replaces all limits together and returns them as they were given") {
    engine::LimitsCell cell({.max_entries = 5, .max_bytes = {}, .max_entry_bytes = {}});
    CHECK(cell.get().max_entries == 5);
    CHECK(cell.get().max_bytes == 256 * MiB);
    CHECK_FALSE(cell.as_given().max_bytes.is_set());
    cell.set({.max_entries = {}, .max_bytes = 80, .max_entry_bytes = {}});
    CHECK(cell.get().max_entries == base::kForever);
    CHECK(cell.get().max_bytes == 80);
    CHECK(cell.get().max_entry_bytes == 10);
    CHECK(cell.as_given().max_bytes == Limit(80));
  }

  TEST_CASE("HealthCell keeps the start of a state when the same state is set again") {
    engine::HealthCell cell;
    Health health;
    cell.change(HealthState::ok, 1'000);
    cell.change(HealthState::ok, 2'000);
    cell.fill(&health);
    CHECK(health.state == HealthState::ok);
    CHECK(health.since == 1'000);
    cell.change(HealthState::degraded, 3'000);
    cell.change(HealthState::degraded, 4'000);
    cell.fill(&health);
    CHECK(health.state == HealthState::degraded);
    CHECK(health.since == 3'000);
  }

  TEST_CASE("only the current store can be marked corrupt and the next store is not marked") {
    const auto file = std::make_shared<test::FakeFile>();
    engine::StoreSlot slot;
    const std::shared_ptr<store::Store> first = test::open_fake_store(file);
    const std::shared_ptr<store::Store> second = test::open_fake_store(file);
    CHECK_FALSE(slot.mark_corrupt(*first, "damaged"));
    CHECK_FALSE(slot.corruption());
    CHECK(slot.set(first) == nullptr);
    CHECK(slot.mark_corrupt(*first, "damaged"));
    CHECK(slot.mark_corrupt(*first, "again"));
    CHECK(slot.corruption()->why == "damaged");
    CHECK(slot.set(second) == first);
    CHECK_FALSE(slot.corruption());
    CHECK_FALSE(slot.mark_corrupt(*first, "late"));
    CHECK_FALSE(slot.corruption());
  }

  TEST_CASE("an engine uses the clock of its options and is out of use after it is closed") {
    Options options;
    const auto clock = std::make_shared<ManualClock>();
    options.hooks.clock = clock;
    engine::Engine with_clock("a.db", options);
    CHECK(with_clock.clock == clock);
    CHECK(with_clock.path == "a.db");
    CHECK_FALSE(with_clock.is_out_of_use());
    with_clock.closed = true;
    CHECK(with_clock.is_out_of_use());
    CHECK(engine::Engine("b.db", {}).clock == system_clock());
  }

  TEST_CASE("a relative path becomes absolute, but not if the current folder cannot be read") {
    const std::string absolute = engine::Engine("x", {}).full_path;
    CHECK(absolute == (std::filesystem::current_path() / "x").string());
    CHECK(engine::Engine("/folder/x", {}).full_path == "/folder/x");
    test::before_os_calls([](const test::OsCall& call) {
      return call.path != nullptr && call.path == std::string_view(".") ? EACCES : 0;
    });
    const std::string kept = engine::Engine("x", {}).full_path;
    test::before_os_calls({});
    CHECK(kept == "x");
  }
}
