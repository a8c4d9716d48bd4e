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

/// How many kills; ASHMEMO_CRASH_KILLS, or 100.
[[nodiscard]] int number_of_kills();
/// ASHMEMO_CRASH_SEED, or another one each time. Printed.
[[nodiscard]] std::uint64_t seed_of_run();

/// A process with two caches, one of which evicts, that is killed again and again.
class CrashRun {
 public:
  explicit CrashRun(std::uint64_t seed);

  /// At a random moment: during its opening, its work, or what the worker does behind it.
  void kill_at_a_moment();
  /// Right before one of its changes of a file.
  void kill_at_a_change();
  /// At one of its changes of a file, together with the machine.
  void cut_power(Durability durability);

  void report(const std::string& what) const;

 private:
  struct Plan {
    Durability durability = Durability::relaxed;
    bool has_reader = false;  // another program reads the file meanwhile
    int steps = 0;            // of each thread
  };
  Plan draw_plan();
  [[nodiscard]] Child start(const Plan& plan, const std::function<void()>& before);
  void kill(Child& child);
  /// Sometimes a process that opens what the killed one has left is killed, too.
  void kill_while_opening(const std::function<void()>& before);
  void look(Promise promise);
  void start_reader();
  std::int64_t draw_change();
  std::int64_t draw_early_change(int most);
  [[nodiscard]] int sum(int (CrashedCache::*count)() const noexcept) const;
  int any(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  TempDir dir_;
  std::mt19937_64 random_;
  std::array<CrashedCache, 2> caches_;
  std::unique_ptr<Program> reader_;
  int kill_ = 0;
  int inside_changes_ = 0;
  int at_work_ = 0;          // processes that had not done all they had to when they were killed
  int inside_openings_ = 0;  // that followed a kill
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace ashmemo::test
