#include <doctest/doctest.h>

#include "faults/operation.hpp"

// Calculations while system calls fail. Their results must always be correct.

using namespace ashmemo;
using test::Document;
using test::documents;
using test::Trial;
using test::try_faults;

namespace {

void declare(Trial& trial) { (void)trial.resource(); }

void load(Trial& trial) { trial.load(documents()); }

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("a load with hits and misses survives faults") {
    try_faults({.before = declare, .act = [](Trial& trial) {
                  load(trial);
                  load(trial);
                  trial.flush();
                  if (trial.nothing_fails) CHECK(trial.sum().stats().computed == 12);
                }});
  }

  TEST_CASE("declarations and the first load on a new file survive faults") {
    try_faults({.file = test::File::none, .act = [](Trial& trial) {
                  load(trial);
                  trial.flush();
                  load(trial);
                }});
  }

  TEST_CASE("a load of stale results and its refresh survive faults") {
    try_faults({.before =
                    [](Trial& trial) {
                      declare(trial);
                      trial.clock->advance(std::chrono::minutes(90));
                    },
                .act =
                    [](Trial& trial) {
                      load(trial);
                      trial.executor->run();
                      load(trial);
                      trial.flush();
                    }});
  }

  TEST_CASE("warm, cached and stats of a calculation survive faults") {
    try_faults({.before = declare, .act = [](Trial& trial) {
                  (void)trial.sum().warm(documents());
                  const auto cached = trial.sum().cached(documents());
                  const std::vector<Document> asked = documents();
                  for (std::size_t i = 0; i < asked.size(); ++i) {
                    const Document& each = asked[i];
                    CHECK(cached[i].value_or(each.id + each.size) == each.id + each.size);
                  }
                  (void)trial.sum().stats();
                  trial.flush();
                }});
  }

  TEST_CASE("invalidate of a record, a calculation and a resource survives faults") {
    try_faults({.before = declare, .act = [](Trial& trial) {
                  const Document first = documents().front();
                  trial.sum().invalidate(first);
                  trial.resource().invalidate(first);
                  CHECK_FALSE(trial.sum().cached(first).has_value());
                  trial.sum().invalidate_all();
                  trial.resource().invalidate_all();
                  for (const auto& each : trial.product().cached(documents())) {
                    CHECK_FALSE(each.has_value());
                  }
                  load(trial);
                }});
  }

  TEST_CASE("a handle survives faults when it is called for a record and for a page") {
    try_faults(
        {.before = declare, .act = [](Trial& trial) {
           for (const Document& each : {documents().front(), documents().back()}) {
             CHECK(trial.sum()(each) == each.id + each.size);
           }
           CHECK(trial.product()({{2, 102}, {11, 111}}) == std::vector<std::int64_t>{204, 1'221});
           trial.flush();
         }});
  }

  TEST_CASE("names, keys and the search for declarations survive faults") {
    try_faults({.file = test::File::none, .act = [](Trial& trial) {
                  const Document first = documents().front();
                  CHECK(trial.resource().key(first) == "Document:1");
                  CHECK(trial.sum().key(first) == "Document:1:sum");
                  CHECK(trial.resource().name() == "Document");
                  CHECK(trial.sum().name() == "sum");
                  CHECK(trial.resource().calculations().size() == 2);
                  CHECK(trial.registry().resources() == std::vector<std::string>{"Document"});
                  auto& found = trial.registry().find_resource<Document>("Document");
                  CHECK(found.find<std::int64_t>("sum")(first) == first.id + first.size);
                  CHECK(trial.resource().find<std::int64_t>("sum").stats().computed == 1);
                }});
  }

  TEST_CASE("a higher version and the deletion of the old results survive faults") {
    try_faults({.before = [](Trial& trial) { trial.version = 2; },
                .act =
                    [](Trial& trial) {
                      load(trial);
                      trial.flush();
                      while (trial.cache().run_maintenance(Duration())) continue;
                      load(trial);
                    }});
  }
}
