#include <doctest/doctest.h>

#include "faults/operation.hpp"

// Reading while system calls fail.

using namespace ashmemo;
using test::numbered;
using test::Operation;
using test::Trial;
using test::try_faults;

namespace {

void open(Trial& trial) { (void)trial.cache(); }

void read_all(Trial& trial) {
  trial.get_many(numbered("old", 30));
  trial.get_many(numbered("long", 5));
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("get of short, long and missing values survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.get("old7");
                  trial.get("long3");
                  trial.get("never stored");
                }});
  }

  TEST_CASE("get after a commit survives faults while the reader takes a new snapshot") {
    try_faults({.before =
                    [](Trial& trial) {
                      trial.get("old1");
                      trial.put("old2");
                      trial.flush();
                    },
                .act =
                    [](Trial& trial) {
                      trial.get("old1");
                      trial.get("old2");
                    }});
  }

  TEST_CASE("get_many survives faults") { try_faults({.before = open, .act = read_all}); }

  TEST_CASE("two calls of get_many without a memory tier survive faults") {
    Operation operation{.before = open, .act = [](Trial& trial) {
                          read_all(trial);
                          read_all(trial);
                        }};
    operation.options.memory_bytes = 0;
    try_faults(operation);
  }

  TEST_CASE("reads from the memory tier hit in spite of faults") {
    try_faults({.before =
                    [](Trial& trial) {
                      trial.flush();
                      read_all(trial);
                    },
                .act =
                    [](Trial& trial) {
                      read_all(trial);
                      trial.put("new");  // a call that can fail
                      CHECK(trial.cache().get<std::string>("old7").has_value());
                      trial.flush();
                    }});
  }

  TEST_CASE("contains, entry, for_each, stats, health and limits survive faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.check_entry("old3");
                  trial.check_entry("never stored");
                  trial.for_each();
                  (void)trial.cache().stats();
                  (void)trial.cache().health();
                  CHECK_FALSE(trial.cache().limits().max_bytes.is_set());
                }});
  }

  TEST_CASE("for_each with values survives faults while writes are pending") {
    try_faults({.before =
                    [](Trial& trial) {
                      trial.put("old3");
                      trial.put("new");
                    },
                .act = [](Trial& trial) { trial.for_each_value(); }});
  }

  TEST_CASE("calculations survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  const auto stored = trial.cache().calculations();
                  CHECK((stored.empty() || stored.size() == 2));
                  for (const StoredCalculation& each : stored) {
                    CHECK(each.resource == "Document");
                    CHECK(each.stats.computed == 8);
                  }
                }});
  }

  TEST_CASE("reads with Access::read_only survive faults") {
    Operation operation{.act = read_all};
    operation.options.access = Access::read_only;
    operation.options.when_unavailable = WhenUnavailable::go_on;
    try_faults(operation);
  }
}
