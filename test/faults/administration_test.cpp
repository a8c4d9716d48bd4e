#include <doctest/doctest.h>

#include <filesystem>

#include "faults/operation.hpp"

// Opening, closing, maintenance and administration while system calls fail.

using namespace ashmemo;
using test::numbered;
using test::Operation;
using test::Trial;
using test::try_faults;

namespace {

void open(Trial& trial) { (void)trial.cache(); }

void maintain(Trial& trial) {
  for (int i = 0; i < 20 && trial.cache().run_maintenance(Duration()); ++i) continue;
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("open survives faults with no file, a closed file and the file of a killed process") {
    for (const test::File file : {test::File::none, test::File::filled, test::File::crashed}) {
      try_faults({.file = file, .act = [](Trial& trial) {
                    open(trial);
                    trial.get("old3");
                    trial.put("new");
                  }});
    }
  }

  TEST_CASE("open survives faults while it replaces a damaged file") {
    try_faults({.file = test::File::damaged,
                .act =
                    [](Trial& trial) {
                      open(trial);
                      trial.put("new");
                      trial.get("new");
                    },
                .after = [](Trial& trial) { CHECK(trial.was_quarantined()); }});
  }

  TEST_CASE("open with WhenUnavailable::throw_error survives faults") {
    Operation operation{.act = [](Trial& trial) { trial.administer([&] { open(trial); }); }};
    operation.options.when_unavailable = WhenUnavailable::throw_error;
    try_faults(operation);
  }

  TEST_CASE("open with other options than the defaults survives faults") {
    Operation operation{.act = [](Trial& trial) {
      open(trial);
      trial.put("new");
      trial.get("old3");
    }};
    operation.options.durability = Durability::power;
    operation.options.erase_securely = true;
    operation.options.eviction = Eviction::fifo;
    operation.options.memory_bytes = 0;
    try_faults(operation);
  }

  TEST_CASE("close survives faults while writes are pending") {
    Operation operation{.before = open, .act = [](Trial& trial) {
                          trial.put_many(numbered("new", 50));
                          trial.get_many(numbered("old", 5));
                          trial.close();
                        }};
    operation.options.timing.close_wait = std::chrono::milliseconds(200);
    try_faults(operation);
  }

  TEST_CASE("maintenance of expired entries survives faults") {
    try_faults({.before =
                    [](Trial& trial) {
                      open(trial);
                      trial.clock->advance(std::chrono::hours(2));
                    },
                .act =
                    [](Trial& trial) {
                      maintain(trial);
                      for (const std::string& key : numbered("due", 6)) {
                        CHECK_FALSE(trial.cache().get<std::string>(key).has_value());
                      }
                    }});
  }

  TEST_CASE("set_limits and the evictions after it survive faults") {
    try_faults({.before = open,
                .act =
                    [](Trial& trial) {
                      trial.cache().set_limits({.max_entries = 5});
                      CHECK(trial.cache().limits().max_entries == Limit(5));
                      maintain(trial);
                      trial.get_many(numbered("old", 30));
                    },
                .may_lose = true});
  }

  TEST_CASE("compact survives faults") {
    try_faults({.before =
                    [](Trial& trial) {
                      trial.put_many(numbered("long", 40));
                      trial.flush();
                      trial.erase_prefix("long2");
                    },
                .act =
                    [](Trial& trial) {
                      trial.administer([&] { trial.cache().compact(); });
                      trial.get_many(numbered("long", 40));
                    }});
  }

  TEST_CASE("check survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.administer([&] { (void)trial.cache().check(); });
                }});
  }

  TEST_CASE("backup survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  const std::string target = trial.dir.path("backup.db");
                  trial.administer([&] { trial.cache().backup(target); });
                  trial.get("old1");
                }});
  }

  TEST_CASE("the cache replaces a deleted file in spite of faults") {
    try_faults({.before =
                    [](Trial& trial) {
                      open(trial);
                      for (const char* const end : {"", "-wal", "-shm"}) {
                        std::filesystem::remove(trial.path + end);
                      }
                    },
                .act =
                    [](Trial& trial) {
                      trial.clock->advance(std::chrono::minutes(2));
                      maintain(trial);
                      trial.put("new");
                      trial.get("old1");
                    },
                .may_lose = true});
  }
}
