#pragma once

#include <array>
#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "crash/journal.hpp"
#include "crash/load.hpp"
#include "crash/oracle.hpp"
#include "support/child.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {

/// How many kills; ASHMEMO_CRASH_KILLS, or 100.
[[nodiscard]] int number_of_kills();
/// ASHMEMO_CRASH_SEED, or another one each time. Printed.
[[nodiscard]] std::uint64_t seed_of_run();

/// One cache file that lives through many crashes, and what must be in it.
class CrashedCache {
 public:
  CrashedCache(std::string path, bool is_small)
      : path_(std::move(path)), is_small_(is_small), oracle_(is_small) {}

  /// What the process that will be killed does with it.
  [[nodiscard]] Load draw_load(std::mt19937_64& random, Durability durability, std::uint64_t kill);
  /// Replays what that process did, opens the file and checks all that the design promises.
  void look(Promise promise);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] Journal& journal() noexcept { return journal_; }
  /// Calls that had begun and not ended, summed over all crashes.
  [[nodiscard]] int cut_calls() const noexcept { return cut_calls_; }
  [[nodiscard]] std::int64_t calls() const noexcept { return calls_; }
  [[nodiscard]] int found() const noexcept { return found_; }
  /// Removals that returned and were announced as not in the file: of these a crash may undo some.
  [[nodiscard]] int uncommitted() const noexcept { return uncommitted_; }

 private:
  void count_calls();
  void check_values(Cache& cache);
  void recount() const;

  const std::string path_;
  const bool is_small_;
  Journal journal_;
  Oracle oracle_;
  std::int64_t calls_ = 0;
  int cut_calls_ = 0;
  int found_ = 0;  // entries
  int uncommitted_ = 0;
};

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
  void look(Promise promise);
  void start_reader();
  std::int64_t draw_change();
  int any(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  TempDir dir_;
  std::mt19937_64 random_;
  std::array<CrashedCache, 2> caches_;
  std::unique_ptr<Program> reader_;
  std::uint64_t kill_ = 0;
  int inside_changes_ = 0;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace ashmemo::test
