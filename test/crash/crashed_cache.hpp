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

/// One cache file that lives through many crashes, and what must be in it.
class CrashedCache {
 public:
  CrashedCache(std::string path, bool is_small)
      : path_(std::move(path)), is_small_(is_small), oracle_(is_small) {}

  /// What the process that will be killed does with it.
  [[nodiscard]] Load draw_load(std::mt19937_64& random, Durability durability, int kill);
  /// Opens the file as one does who has nothing to do with it.
  [[nodiscard]] Cache open(Heard& heard) const;
  /// Replays what that process did, opens the file and checks all that the design promises.
  void look(Promise promise);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] Journal& journal() noexcept { return journal_; }
  /// Calls that had begun and not ended, summed over all crashes.
  [[nodiscard]] int cut_calls() const noexcept { return cut_calls_; }
  [[nodiscard]] int calls() const noexcept { return calls_; }
  [[nodiscard]] int found() const noexcept { return found_; }
  [[nodiscard]] int results_found() const noexcept { return results_found_; }
  /// Crashes before which a removal returned that was announced as not in the file: it may undo
  /// some, so of these no removal is judged.
  [[nodiscard]] int crashes_unjudged() const noexcept { return crashes_unjudged_; }

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
  int cut_calls_ = 0;
  int found_ = 0;  // entries
  int results_found_ = 0;
  int crashes_unjudged_ = 0;
  std::uint32_t code_version_ = 1;
};

}  // namespace ashmemo::test
