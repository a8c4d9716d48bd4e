#pragma once

#include <array>
#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "crash/crashed_cache.hpp"
#include "support/child.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {

/// The number of kills: ASHMEMO_CRASH_KILLS, or 100.
[[nodiscard]] int number_of_kills();
/// ASHMEMO_CRASH_SEED, or a random seed. Prints it.
[[nodiscard]] std::uint64_t seed_of_run();

/// Kills a process with two caches many times and checks the files after each kill. One of the
/// caches has limits and evicts.
class CrashRun {
 public:
  explicit CrashRun(std::uint64_t seed);

  /// Kills at a random moment: during opening, work, or background work.
  void kill_at_a_moment();
  /// Kills right before a change of a file.
  void kill_at_a_change();
  /// Cuts the power at a change of a file: writes that were not synced may be lost.
  void cut_power(Durability durability);

  void report(const std::string& what) const;

 private:
  struct Plan {
    Durability durability = Durability::relaxed;
    bool has_reader = false;  // another program reads the file during the run
    int steps = 0;            // for each thread
  };
  Plan draw_plan();
  [[nodiscard]] Child start(const Plan& plan, const std::function<void()>& before);
  void kill(Child& child);
  /// After every fifth kill: also kills the next process while it opens the files.
  void kill_while_opening(const std::function<void()>& before);
  void check(Promise promise);
  void start_reader();
  std::int64_t draw_change();
  std::int64_t draw_early_change(int max_change);
  [[nodiscard]] int sum(int (CrashedCache::*count)() const noexcept) const;
  int any(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  TempDir dir_;
  std::mt19937_64 random_;
  std::array<CrashedCache, 2> caches_;
  std::unique_ptr<Program> reader_;
  int kill_ = 0;
  int inside_changes_ = 0;
  int at_work_ = 0;          // processes that were killed before they had done all steps
  int inside_openings_ = 0;  // processes that were killed during the opening after a kill
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace ashmemo::test
