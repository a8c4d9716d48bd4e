#include <doctest/doctest.h>

#include "faults/operation.hpp"

// Calculations with record versions, a scope, arguments and batches, and failing calculations,
// while system calls fail.

using namespace ashmemo;
using test::Drafts;
using test::Operation;
using test::Trial;
using test::try_faults;

namespace {

void load(Trial& trial) {
  trial.drafts().load();
  trial.flush();
}

/// Changes the results after they were stored, and calls `invalidate` as an application must.
Operation invalidating(void (*invalidate)(Drafts&)) {
  return {.before =
              [](Trial& trial) {
                trial.drafts().page.resize(1);
                load(trial);
              },
          .act =
              [invalidate](Trial& trial) {
                trial.drafts().change_results([&] { invalidate(trial.drafts()); });
                trial.drafts().check_cached();
                trial.drafts().load();
              }};
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("a batch with an argument and a load without waiting survive faults") {
    try_faults({.act = [](Trial& trial) {
      load(trial);
      trial.drafts().load({.wait = Duration()});
      trial.drafts().call_handles();
      trial.drafts().check_cached();
      CHECK(trial.drafts().scaled().key(trial.drafts().page.front(), 3) ==
            "Draft:1:scaled(3)@acme");
    }});
  }

  TEST_CASE("warm with an argument survives faults") {
    try_faults({.act = [](Trial& trial) {
      Drafts& drafts = trial.drafts();
      (void)drafts.scaled().warm(drafts.page, 3);
      drafts.check_cached();
      drafts.call_handles();
      trial.flush();
    }});
  }

  TEST_CASE("a load of records with new versions survives faults") {
    try_faults({.before = load, .act = [](Trial& trial) {
                  for (auto& each : trial.drafts().page) ++each.size;
                  trial.drafts().check_cached();
                  load(trial);
                  trial.drafts().check_cached();
                }});
  }

  TEST_CASE("a load in another scope survives faults") {
    try_faults({.before = load, .act = [](Trial& trial) {
                  trial.drafts().tenant = "another one";
                  load(trial);
                  trial.drafts().tenant = "acme";
                  trial.drafts().load();
                }});
  }

  TEST_CASE("failing calculations and stale_if_error survive faults") {
    try_faults({.before =
                    [](Trial& trial) {
                      load(trial);
                      trial.clock->advance(std::chrono::minutes(90));
                    },
                .act =
                    [](Trial& trial) {
                      trial.drafts().failing = true;
                      trial.drafts().load();
                      trial.drafts().page.push_back({15, 115});
                      trial.drafts().call_handles();
                      trial.flush();
                      trial.drafts().failing = false;
                    }});
  }

  TEST_CASE("invalidated results are computed again in spite of faults") {
    try_faults(
        invalidating([](Drafts& drafts) { drafts.resource().invalidate(drafts.page.front()); }));
    try_faults(invalidating([](Drafts& drafts) {
      drafts.scaled().invalidate(drafts.page.front());
      drafts.backed().invalidate(drafts.page.front());
    }));
    try_faults(invalidating([](Drafts& drafts) { drafts.resource().invalidate_all(); }));
    try_faults(invalidating([](Drafts& drafts) {
      drafts.scaled().invalidate_all();
      drafts.backed().invalidate_all();
    }));
  }
}
