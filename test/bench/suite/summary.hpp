#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "bench/suite/row.hpp"

namespace ashmemo::bench {

/// A system of the summary, and its name there.
struct SummarySystem {
  std::string_view system;
  const char* title;
};
/// ashmemo first, plain SQLite second.
inline constexpr std::array<SummarySystem, 5> kSummarySystems{{
    {"ashmemo", "ashmemo"},
    {"raw_sqlite", "plain SQLite"},
    {"lmdb", "LMDB"},
    {"leveldb", "LevelDB"},
    {"persistent_cache_cpp", "persistent-cache-cpp"},
}};

/// A line of the summary: an operation and the row of ashmemo. The row is valid as long as `rows`.
struct SummaryLine {
  const char* what;
  const Row* row;
};
[[nodiscard]] std::vector<SummaryLine> summary_lines(const Rows& rows);

}  // namespace ashmemo::bench
