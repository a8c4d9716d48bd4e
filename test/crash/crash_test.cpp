// A process is killed at any moment. Its file must need no repair, contain every promised entry and
// no removed one.

#include <doctest/doctest.h>

#include "crash/crash_run.hpp"

using namespace ashmemo::test;

TEST_SUITE("crash") {
  TEST_CASE("a file keeps its promises through many kills") {
    CrashRun run(seed_of_run());
    const int kills = number_of_kills();
    for (int kill = 0; kill < kills; ++kill) {
      if (kill % 2 == 0) {
        run.kill_at_a_moment();
      } else {
        run.kill_at_a_change();
      }
    }
    run.report("killed");
  }
}
