#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "crash/journal.hpp"
#include "crash/load.hpp"
#include "crash/oracle.hpp"
#include "support/cache_fixture.hpp"

namespace ashmemo::test {

/// One cache file that is used through many crashes, and an oracle that knows its allowed contents.
class CrashedCache {
 public:
  CrashedCache(std::string path, bool is_small)
      : path_(std::move(path)), is_small_(is_small), oracle_(is_small) {}

  /// The random work of the process that will be killed.
  [[nodiscard]] Load draw_load(std::mt19937_64& random, Durability durability, int kill);
  /// Opens the file with limits that evict nothing.
  [[nodiscard]] Cache open(Heard& heard) const;
  /// Replays the journal of the killed process, opens the file and checks everything that the
  /// design promises.
  void check(Promise promise);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] Journal& journal() noexcept { return journal_; }
  /// Calls that had begun and not ended, summed over all crashes.
  [[nodiscard]] int interrupted_calls() const noexcept { return interrupted_calls_; }
  [[nodiscard]] int calls() const noexcept { return calls_; }
  [[nodiscard]] int found() const noexcept { return found_; }
  [[nodiscard]] int results_found() const noexcept { return results_found_; }
  /// Crashes of processes that reported a removal as not committed. Such a crash may undo removals,
  /// so none of its removals is checked.
  [[nodiscard]] int crashes_unchecked() const noexcept { return crashes_unchecked_; }

 private:
  void count_calls(const std::vector<Record>& records);
  void check_values(Cache& cache);
  void check_results(Cache& cache);
  void check_copies(const std::vector<Record>& records) const;

  const std::string path_;
  const bool is_small_;
  Journal journal_;
  Oracle oracle_;
  int calls_ = 0;
  int interrupted_calls_ = 0;
  int found_ = 0;  // number of entries found
  int results_found_ = 0;
  int crashes_unchecked_ = 0;
  std::uint32_t code_version_ = 1;
};

}  // namespace ashmemo::test
