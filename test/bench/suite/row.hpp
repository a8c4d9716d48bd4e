#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/suite/measure.hpp"

namespace ashmemo::bench {

/// The number by which rows are compared.
enum class By : std::uint8_t { median, mean, rate };

/// One result: a line of the table, an object of the JSON file.
struct Row {
  std::string scenario;
  std::string variant;  ///< "100 keys": rows of one scenario and variant are compared
  std::string system;
  std::size_t entries = 0;
  std::size_t value_bytes = 0;
  std::size_t threads = 1;
  By by = By::median;
  double mean_us = 0;  ///< times are per operation, or per key in a batch
  double p50_us = 0;
  double p99_us = 0;
  std::optional<double> p999_us{};
  double ops_per_s = 0;
  std::optional<std::int64_t> bytes{};  ///< memory, if the scenario measures memory
  std::optional<double> log_bytes{};    ///< for a row, if the scenario measures the log
  std::optional<Survives> survives{};   ///< of the writes; nullopt: it only reads

  /// The number that is compared. Lower is better.
  [[nodiscard]] double compared() const;
};

/// Whether two rows have the same work, on any system.
[[nodiscard]] bool are_compared(const Row& a, const Row& b);

/// Sets the times and the rate of the row from the durations of blocks.
void set_times(Row& row, Latencies& blocks, std::size_t operations);

/// All results, in the order of their measurement.
class Rows {
 public:
  void add(Row row) { all_.push_back(std::move(row)); }
  [[nodiscard]] std::span<const Row> all() const { return all_; }

  /// The first row with these names and this number of entries (0: any number). Null if no row has
  /// them.
  [[nodiscard]] const Row* find(std::string_view scenario, std::string_view variant,
                                std::string_view system, std::size_t entries = 0) const;
  /// The rows to compare this row with: plain SQLite, and the best of the other libraries.
  [[nodiscard]] const Row* raw_row_for(const Row& row) const;
  [[nodiscard]] const Row* best_peer_row_for(const Row& row) const;
  /// The row of another system with the same work. Null if that was not measured.
  [[nodiscard]] const Row* row_of(std::string_view system, const Row& same_work) const;
  /// The rate relative to the same work on one thread. nullopt if that was not measured, or if this
  /// is that row.
  [[nodiscard]] std::optional<double> scaling_of(const Row& row) const;

 private:
  std::vector<Row> all_;
};

// The table is printed scenario by scenario, so a run that is stopped has printed its results so
// far.

void print_table_head();
/// Prints the rows from the index `from` on.
void print_table_rows(const Rows& rows, std::size_t from);
void print_table_foot();
/// Prints each performance goal that has measured rows, and if it was met.
void print_budgets(const Rows& rows);
void write_json(const Rows& rows, const std::string& path);
/// The rows of a file that write_json has written.
[[nodiscard]] Rows read_json(const std::string& path);
/// Writes a Markdown table of the most common operations.
void write_summary(const Rows& rows, const std::string& path);
/// Draws the table as an SVG file.
void write_plot(const Rows& rows, const std::string& path);

}  // namespace ashmemo::bench
