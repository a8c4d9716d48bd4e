// Options: invalid ones are refused by name before a file is opened.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

TEST_SUITE("system") {
  TEST_CASE("an invalid option is refused with its field and value and no file is created") {
    struct Case {
      std::string field;
      std::string value;
      std::function<void(Options&)> spoil;
    };
    const std::vector<Case> cases = {
        {"limits.max_entries", "-1", [](Options& o) { o.limits.max_entries = -1; }},
        {"limits.max_bytes", "-5", [](Options& o) { o.limits.max_bytes = -5; }},
        {"limits.max_entry_bytes", "-2", [](Options& o) { o.limits.max_entry_bytes = -2; }},
        {"limits.max_wal_bytes", std::to_string(MiB),
         [](Options& o) { o.limits.max_wal_bytes = MiB; }},
        {"limits.max_entry_bytes", "unlimited",
         [](Options& o) { o.limits.max_entry_bytes = unlimited; }},
        {"limits.max_entry_bytes", std::to_string(3 * GiB),
         [](Options& o) { o.limits.max_entry_bytes = 3 * GiB; }},
        {"timing.touch_interval", "-1s", [](Options& o) { o.timing.touch_interval = -1s; }},
        {"timing.flush_interval", "-2ms", [](Options& o) { o.timing.flush_interval = -2ms; }},
        {"timing.maintenance_interval", "0s",
         [](Options& o) { o.timing.maintenance_interval = 0s; }},
        {"timing.maintenance_interval", "9ms",
         [](Options& o) { o.timing.maintenance_interval = 9ms; }},
        {"timing.maintenance_interval", "-1m",
         [](Options& o) { o.timing.maintenance_interval = -1min; }},
        {"timing.max_wait", "-1us", [](Options& o) { o.timing.max_wait = -1us; }},
        {"timing.close_wait", "-3s", [](Options& o) { o.timing.close_wait = -3s; }},
        {"queue_bytes", "0", [](Options& o) { o.queue_bytes = 0; }},
        {"queue_bytes", "-1", [](Options& o) { o.queue_bytes = -1; }},
        {"reader_cache_bytes", "1", [](Options& o) { o.reader_cache_bytes = 1; }},
        {"writer_cache_bytes", "-7", [](Options& o) { o.writer_cache_bytes = -7; }},
        {"hint_bytes", "65535", [](Options& o) { o.hint_bytes = 64 * KiB - 1; }},
        {"hint_bytes", "-1", [](Options& o) { o.hint_bytes = -1; }},
        {"durability", "9", [](Options& o) { o.durability = static_cast<Durability>(9); }},
        {"eviction", "17", [](Options& o) { o.eviction = static_cast<Eviction>(17); }},
        {"access", "3", [](Options& o) { o.access = static_cast<Access>(3); }},
        {"when_unavailable", "4",
         [](Options& o) { o.when_unavailable = static_cast<WhenUnavailable>(4); }},
        {"exclusive", "true",
         [](Options& o) {
           o.exclusive = true;
           o.access = Access::read_only;
         }},
        {"hooks.worker", "5", [](Options& o) { o.hooks.worker = static_cast<WorkerMode>(5); }},
    };
    const TempDir dir;
    for (const Case& each : cases) {
      INFO(each.field << " = " << each.value);
      Options options;
      each.spoil(options);
      const auto error = thrown_by([&] { const Cache cache(dir.path("x.db"), options); });
      REQUIRE(error);
      CHECK(error->code() == ErrorCode::invalid_options);
      CHECK_MESSAGE(has(error->what(), each.field), std::string(error->what()));
      CHECK_MESSAGE(has(error->what(), each.value), std::string(error->what()));
      CHECK(error->subject() == each.field);
      CHECK(std::filesystem::is_empty(dir.path()));
    }
  }

  TEST_CASE("the path of a database in memory is refused with advice and no file is created") {
    CacheFixture f;
    const TempDir dir;
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(dir.path());
    const auto error = thrown_by([&] { const Cache cache(":memory:", f.options); });
    const auto named = thrown_by([&] { const Cache cache("./:memory:", f.options); });
    std::filesystem::current_path(before);
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::invalid_options);
    CHECK(has(error->what(), "':memory:'"));
    CHECK(has(error->what(), "give the path of a file"));
    CHECK(error->subject() == "path");
    CHECK_FALSE(named);  // this is the name of a file
    CHECK(exists(dir.path(":memory:")));
  }

  TEST_CASE("extreme valid options are accepted") {
    CacheFixture f;
    f.options.limits = {.max_entries = unlimited, .max_bytes = unlimited, .max_entry_bytes = 1};
    f.options.timing = {.touch_interval = 0s,
                        .flush_interval = Duration::max(),
                        .maintenance_interval = std::chrono::hours::max(),
                        .max_wait = 0s,
                        .close_wait = 0s};
    CHECK_FALSE(f->put("k", 1));
    f->set_limits({.max_bytes = unlimited});
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->get<int>("k") == 1);
  }

  TEST_CASE("a worker thread works with zero and infinite intervals") {
    for (const Duration interval : {Duration(0s), Duration::max()}) {
      CacheFixture f;
      f.use_thread();
      f.options.timing.touch_interval = interval;
      f.options.timing.flush_interval = interval;
      f.options.timing.maintenance_interval = interval.is_forever() ? interval : Duration(10ms);
      f.fill("k", 100);
      CHECK(f->get<std::string>("k1").has_value());
      CHECK(f->erase("k2"));
      f->flush();
      CHECK(f->stats().entries == 99);
    }
  }

  TEST_CASE("to_string shows every option by name with its effective value") {
    Options options;
    options.limits.max_entries = 50'000;
    options.timing.touch_interval = 90s;
    options.durability = Durability::power;
    options.eviction = Eviction::s3fifo;
    options.erase_securely = true;
    const std::string text = to_string(options);
    for (const std::string part : {"max_entries=50000",
                                   "max_bytes=268435456",
                                   "max_entry_bytes=33554432",
                                   "max_wal_bytes=67108864",
                                   "touch_interval=1m 30s",
                                   "flush_interval=100ms",
                                   "maintenance_interval=1m",
                                   "max_wait=100ms",
                                   "close_wait=5s",
                                   "durability=power",
                                   "eviction=s3fifo",
                                   "queue_bytes=8388608",
                                   "reader_cache_bytes=4194304",
                                   "writer_cache_bytes=8388608",
                                   "hint_bytes=4194304",
                                   "access=read_write",
                                   "when_unavailable=go_on",
                                   "erase_securely=true",
                                   "exclusive=false",
                                   "worker=thread",
                                   "on_error=false",
                                   "on_removal=false"}) {
      CHECK_MESSAGE(has(text, part), part << " in\n" << text);
    }
    CHECK(has(to_string(Options()), "max_entries=unlimited"));
  }

  TEST_CASE("limits returns the limits as they were set") {
    CacheFixture f({.limits = {.max_entries = 7, .max_bytes = unlimited}});
    CHECK(f->limits().max_entries == Limit(7));
    CHECK(f->limits().max_bytes.is_unlimited());
    CHECK_FALSE(f->limits().max_entry_bytes.is_set());
    f->set_limits({.max_bytes = 5 * MiB});
    CHECK(f->limits().max_bytes == Limit(5 * MiB));
    CHECK_FALSE(f->limits().max_entries.is_set());
  }
}
