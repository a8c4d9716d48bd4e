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
  bool smoke = false;     ///< as little as shows that it works
  std::string program{};  ///< this program's own path
};

/// What a scenario works with.
class Bench {
 public:
  explicit Bench(Settings settings);

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] Files& files() { return files_; }
  [[nodiscard]] Rows& rows() { return rows_; }
  /// The systems that can be had.
  [[nodiscard]] std::span<const SystemType> systems() const { return systems_; }

  /// Progress, for who waits.
  void notify(const std::string& what) const;
  /// A line under the table.
  void note(const std::string& line) { notes_.push_back(line); }
  [[nodiscard]] std::span<const std::string> notes() const { return notes_; }
  void begin(std::string_view scenario) const;
  void end() const;

  [[nodiscard]] Setup setup(std::size_t entries) const {
    return {.entries = entries, .value_bytes = settings_.value_bytes};
  }
  /// 10,000, 100,000 and 1,000,000, or what stands for them in a smoke run; or one number by hand.
  [[nodiscard]] std::vector<std::size_t> sizes() const;
  [[nodiscard]] std::size_t smaller(std::size_t number) const;
  [[nodiscard]] Rounds rounds() const { return rounds_of(settings_.seconds); }

  /// A row with what all rows of this run have.
  [[nodiscard]] Row row(std::string_view scenario, std::string_view variant,
                        std::string_view system, std::size_t entries) const;
  /// Measures the lanes against each other, and adds a row for each.
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

// Reading what is there.
void hit_memory(Bench& bench);
void hit_store(Bench& bench);
void zipf_reads(Bench& bench);
void get_many(Bench& bench);
void touch(Bench& bench);
// Writing.
void put(Bench& bench);
void put_paced(Bench& bench);
void put_many(Bench& bench);
// Calculations.
void load(Bench& bench);
void version(Bench& bench);
// Several threads.
void mixed(Bench& bench);
void two_threads(Bench& bench);
void read_under_write_storm(Bench& bench);
// What should not grow with the number of entries.
void open_and_read(Bench& bench);
void stats(Bench& bench);
void memory(Bench& bench);
void scale(Bench& bench);
// One option or another.
void tuning(Bench& bench);

/// Single gets of these entries, in blocks. All must be there.
[[nodiscard]] Lane get_lane(const Contestant& contestant, const Chooser& choose,
                            std::size_t value_bytes);
/// As above with get_many, results for each key.
[[nodiscard]] Lane get_many_lane(const Contestant& contestant, const Chooser& choose,
                                 std::size_t keys, std::size_t value_bytes);
/// Batches, each timed until it is in the file; results for each row.
[[nodiscard]] Lane put_many_lane(const Contestant& contestant, const Chooser& choose,
                                 std::size_t rows, std::size_t value_bytes);
/// All entries of an empty file, once, and then again for as long as `rounds` says.
void fresh_and_overwriting(Bench& bench, const char* scenario, const char* prefix,
                           const Setup& setup, std::span<const SystemType> types,
                           const Rounds& rounds);
/// Each entry once or twice, so that what can be in memory is there.
void read_all(System& system, std::size_t entries);

/// For the scenario `memory`, in a process of its own: opens the file, reads, with `writing` puts
/// meanwhile, prints the bytes.
void print_anonymous_bytes(std::string_view system, const std::string& directory,
                           const Settings& settings, std::size_t readers, bool writing);

}  // namespace ashmemo::bench
