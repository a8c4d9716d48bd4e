// A process that is killed at any moment leaves a file that needs no repair, with everything in it
// that was promised, and nothing that was removed.

#include <doctest/doctest.h>

#include "crash/crash_run.hpp"

using namespace ashmemo::test;

TEST_SUITE("crash") {
  TEST_CASE("51 one file lives through many kills, at random moments and inside commits") {
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
