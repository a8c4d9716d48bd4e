#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/suite/files.hpp"
#include "bench/suite/keys.hpp"
#include "bench/suite/measure.hpp"
#include "bench/suite/row.hpp"
#include "bench/suite/system.hpp"

namespace ashmemo::bench {

struct Settings {
  std::size_t entries = 300'000;
  std::size_t value_bytes = 100;
  double seconds = 2;     ///< for each system and measurement
  bool smoke = false;     ///< very small sizes, only to see that it works
  std::string program{};  ///< this program's own path
};

/// Settings, systems, files and results for the scenarios of one run.
class Bench {
 public:
  explicit Bench(Settings settings);

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Files& files() { return files_; }
  [[nodiscard]] Rows& rows() { return rows_; }
  /// The systems whose libraries are installed.
  [[nodiscard]] std::span<const SystemType> systems() const { return systems_; }
  /// Those whose puts can survive this.
  [[nodiscard]] std::vector<SystemType> systems_that_survive(Survives worst) const;

  /// Shows the progress to a user on a terminal.
  void notify(const std::string& what) const;
  /// Adds a line that is printed below the table.
  void note(const std::string& line) { notes_.push_back(line); }
  [[nodiscard]] std::span<const std::string> notes() const { return notes_; }
  void begin(std::string_view scenario) const;
  void end() const;

  [[nodiscard]] Setup setup(std::size_t entries) const {
    return {.entries = entries, .value_bytes = settings_.value_bytes};
  }
  /// 10,000, 100,000 and 1,000,000 entries, or a hundredth of them in a smoke run. If `--entries`
  /// is larger, that number is the last size.
  [[nodiscard]] std::vector<std::size_t> sizes() const;
  [[nodiscard]] std::size_t smaller(std::size_t number) const;
  [[nodiscard]] Rounds rounds() const { return rounds_of(settings_.seconds); }

  /// A row with the given names and the settings that all rows of this run share.
  [[nodiscard]] Row row(std::string_view scenario, std::string_view variant,
                        std::string_view system, std::size_t entries) const;
  /// Measures the lanes in turns and adds a row for each.
  void measure_rows(const Row& like, std::span<Lane> lanes, const Rounds& rounds);

 private:
  const Settings settings_;
  const bool watched_;
  std::vector<SystemType> systems_;
  Files files_;
  Rows rows_;
  std::vector<std::string> notes_;
};

struct Scenario {
  const char* name;
  const char* description;
  void (*run)(Bench& bench);
};

[[nodiscard]] std::span<const Scenario> scenarios();

// Reading.
void hit_memory(Bench& bench);
void hit_store(Bench& bench);
void miss(Bench& bench);
void zipf_reads(Bench& bench);
void get_many(Bench& bench);
void page(Bench& bench);
void touch(Bench& bench);
// Writing.
void put(Bench& bench);
void put_paced(Bench& bench);
void put_many(Bench& bench);
void log_bytes(Bench& bench);
// Calculations.
void load(Bench& bench);
void version(Bench& bench);
// Several threads.
void mixed(Bench& bench);
void threads(Bench& bench);
void two_threads(Bench& bench);
void read_under_write_storm(Bench& bench);
// Costs that should not grow with the number of entries, and costs at growing sizes.
void open_and_read(Bench& bench);
void stats(Bench& bench);
void memory(Bench& bench);
void scale(Bench& bench);
// Different options.
void tuning(Bench& bench);

/// Single gets of these entries, in blocks. Every get must hit.
[[nodiscard]] Lane get_lane(const Contestant& contestant, const Chooser& choose,
                            std::size_t value_bytes);
/// As above with get_many. The results are per key.
[[nodiscard]] Lane get_many_lane(const Contestant& contestant, const Chooser& choose,
                                 std::size_t keys, std::size_t value_bytes);
/// Batches of puts, each timed until it is in the file. The results are per row.
[[nodiscard]] Lane put_many_lane(const Contestant& contestant, const Chooser& choose,
                                 std::size_t rows, const Setup& setup);
/// Measures writing all entries into an empty file once (fresh), and then writing them again for
/// `rounds` (overwriting). `variant` is a format string with a place for these two words.
void fresh_and_overwriting(Bench& bench, const char* scenario, const char* variant,
                           const Setup& setup, std::span<const SystemType> types,
                           const Rounds& rounds);
/// Reads every entry twice, so that the memory tier contains as many as it can.
void read_all(System& system, std::size_t entries);

/// The child process of the scenario `memory`: opens the file, reads on `readers` threads, puts on
/// another thread if `writing`, and prints the peak of anonymous memory in bytes.
void print_anonymous_bytes(std::string_view system, const std::string& directory,
                           const Settings& settings, std::size_t readers, bool writing);

}  // namespace ashmemo::bench
