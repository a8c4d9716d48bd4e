#include <doctest/doctest.h>

#include "faults/operation.hpp"

// Calls that start a thread while the system has no thread left.

using namespace ashmemo;
using test::becomes_true;
using test::documents;
using test::Operation;
using test::Trial;
using test::try_faults;

TEST_SUITE("faults") {
  TEST_CASE("open goes on and reports it if no thread can start") {
    for (const test::File file : {test::File::none, test::File::filled}) {
      try_faults({.file = file,
                  .act =
                      [](Trial& trial) {
                        (void)trial.cache();
                        CHECK(trial.heard.count(NoticeKind::worker_failed) ==
                              (trial.nothing_fails ? 0 : 1));
                        trial.put("new");
                        trial.flush();
                        trial.erase("old2");
                        trial.get_many({"new", "old1", "old2"});
                      },
                  .has_threads = true});
    }
  }

  TEST_CASE("open with WhenUnavailable::throw_error throws if no thread can start") {
    Operation operation{.act =
                            [](Trial& trial) {
                              const bool is_open = trial.administer([&] { (void)trial.cache(); });
                              CHECK(is_open == trial.nothing_fails);
                            },
                        .has_threads = true};
    operation.options.when_unavailable = WhenUnavailable::throw_error;
    try_faults(operation);
  }

  TEST_CASE("a load answers stale results and reports it if no thread can start") {
    try_faults({.before =
                    [](Trial& trial) {
                      (void)trial.resource();
                      trial.clock->advance(std::chrono::minutes(90));
                    },
                .act =
                    [](Trial& trial) {
                      trial.load(documents());
                      const int failed = trial.nothing_fails ? 0 : 1;
                      CHECK(becomes_true([&] {
                        return trial.heard.count(NoticeKind::calculation_failed) == failed;
                      }));
                      trial.close();
                    },
                .has_threads = true});
  }
}
