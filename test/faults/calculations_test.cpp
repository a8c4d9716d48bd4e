#include <doctest/doctest.h>

#include "faults/operation.hpp"

// Calculations while calls to the system fail: their results are always right.

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
  TEST_CASE("load: hits and misses, stored") {
    try_faults({.before = declare, .act = [](Trial& trial) {
                  load(trial);
                  load(trial);
                  trial.flush();
                  if (trial.nothing_fails) CHECK(trial.sum().stats().computed == 12);
                }});
  }

  TEST_CASE("the declaration of calculations, and a first load on a new file") {
    try_faults({.file = test::File::none, .act = [](Trial& trial) {
                  load(trial);
                  trial.flush();
                  load(trial);
                }});
  }

  TEST_CASE("a load that finds stale results, and its refresh") {
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

  TEST_CASE("warm, cached, stats of a calculation") {
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

  TEST_CASE("invalidate: one record, a calculation, a resource") {
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

  TEST_CASE("a handle called for one record and for a page") {
    try_faults(
        {.before = declare, .act = [](Trial& trial) {
           for (const Document& each : {documents().front(), documents().back()}) {
             CHECK(trial.sum()(each) == each.id + each.size);
           }
           CHECK(trial.product()({{2, 102}, {11, 111}}) == std::vector<std::int64_t>{204, 1'221});
           trial.flush();
         }});
  }

  TEST_CASE("declarations, names and keys") {
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

  TEST_CASE("a higher version of the calculations, the old results deleted") {
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
