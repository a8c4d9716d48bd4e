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

/// What a row is compared by.
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
  double mean_us = 0;  ///< times are of one operation; in a batch, of one key
  double p50_us = 0;
  double p99_us = 0;
  std::optional<double> p999_us{};
  double ops_per_s = 0;
  std::optional<std::int64_t> bytes{};  ///< of memory, where that is what was measured

  /// The number that is compared; less is better.
  [[nodiscard]] double compared() const;
};

/// Whether two rows are of the same work, by whatever system.
[[nodiscard]] bool are_compared(const Row& a, const Row& b);

/// The row's times and rate from those of blocks.
void set_times(Row& row, Latencies& blocks, std::size_t operations);

/// All results, in the order they came.
class Rows {
 public:
  void add(Row row) { all_.push_back(std::move(row)); }
  [[nodiscard]] std::span<const Row> all() const { return all_; }

  /// The one that is told by what is given; 0 entries: any number of them. Null: it was not
  /// measured.
  [[nodiscard]] const Row* find(std::string_view scenario, std::string_view variant,
                                std::string_view system, std::size_t entries = 0) const;
  /// Of those that the row is compared with: plain SQLite; the best of the other libraries.
  [[nodiscard]] const Row* raw_beside(const Row& row) const;
  [[nodiscard]] const Row* best_peer_beside(const Row& row) const;

 private:
  std::vector<Row> all_;
};

/// Of the one table, which is printed as it grows: who stops a long run has what was measured.
void print_table_head();
/// The rows from this one on.
void print_table_rows(const Rows& rows, std::size_t from);
void print_table_foot();
/// How far the budgets of the rows that there are were met.
void print_budgets(const Rows& rows);
void write_json(const Rows& rows, const std::string& path);
/// A table in Markdown, of the most usual work.
void write_summary(const Rows& rows, const std::string& path);

}  // namespace ashmemo::bench
