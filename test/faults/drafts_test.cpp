#include <doctest/doctest.h>

#include "faults/operation.hpp"

// Calculations with versions of records, a scope, arguments and batches, and those that fail, while
// calls to the system fail.

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

/// Results that were kept are no longer right, and `invalidate` says so.
Operation editing(void (*invalidate)(Drafts&)) {
  return {.before =
              [](Trial& trial) {
                trial.drafts().page.resize(1);
                load(trial);
              },
          .act =
              [invalidate](Trial& trial) {
                trial.drafts().edit([&] { invalidate(trial.drafts()); });
                trial.drafts().look();
                trial.drafts().load();
              }};
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("a batch with an argument, and a load that does not wait") {
    try_faults({.act = [](Trial& trial) {
      load(trial);
      trial.drafts().load({.wait = Duration()});
      trial.drafts().ask();
      trial.drafts().look();
      CHECK(trial.drafts().scaled().key(trial.drafts().page.front(), 3) ==
            "Draft:1:scaled(3)@acme");
    }});
  }

  TEST_CASE("warm with an argument") {
    try_faults({.act = [](Trial& trial) {
      Drafts& drafts = trial.drafts();
      (void)drafts.scaled().warm(drafts.page, 3);
      drafts.look();
      drafts.ask();
      trial.flush();
    }});
  }

  TEST_CASE("other versions of the records") {
    try_faults({.before = load, .act = [](Trial& trial) {
                  for (auto& each : trial.drafts().page) ++each.size;
                  trial.drafts().look();
                  load(trial);
                  trial.drafts().look();
                }});
  }

  TEST_CASE("another scope") {
    try_faults({.before = load, .act = [](Trial& trial) {
                  trial.drafts().tenant = "another one";
                  load(trial);
                  trial.drafts().tenant = "acme";
                  trial.drafts().load();
                }});
  }

  TEST_CASE("calculations that fail, and results that stand in") {
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
                      trial.drafts().ask();
                      trial.flush();
                      trial.drafts().failing = false;
                    }});
  }

  TEST_CASE("what is invalidated is computed anew: of one record, of all") {
    try_faults(editing([](Drafts& drafts) { drafts.resource().invalidate(drafts.page.front()); }));
    try_faults(editing([](Drafts& drafts) {
      drafts.scaled().invalidate(drafts.page.front());
      drafts.backed().invalidate(drafts.page.front());
    }));
    try_faults(editing([](Drafts& drafts) { drafts.resource().invalidate_all(); }));
    try_faults(editing([](Drafts& drafts) {
      drafts.scaled().invalidate_all();
      drafts.backed().invalidate_all();
    }));
  }
}
