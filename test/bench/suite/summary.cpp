#include <array>
#include <fstream>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "bench/program.hpp"
#include "bench/suite/row.hpp"
#include "bench/suite/system.hpp"

// The table of the main results in Markdown.

namespace ashmemo::bench {
namespace {

/// An operation and the scenario that measures it.
struct Work {
  const char* what;
  std::string_view scenario;
  std::string_view variant = "";
  std::size_t threads = 1;
};
constexpr std::array kWorks{
    Work{"get, from memory", "hit_memory"},
    Work{"get, from the file", "hit_store"},
    Work{"get, Zipf(0.99), memory for a tenth", "zipf"},
    Work{"get_many of 100, a key", "get_many", "100 keys"},
    Work{"put, in bursts", "put"},
    Work{"put_many of 1,000, fresh, a row", "put_many", "fresh"},
    Work{"put_many of 1,000, overwriting, a row", "put_many", "overwriting"},
    Work{"95 % get, 5 % put, one thread", "mixed"},
    Work{"95 % get, 5 % put, two threads", "mixed", "", 2},
    Work{"open, and the first read", "open"},
};

constexpr std::array<std::string_view, 5> kSystems{"ashmemo", "raw_sqlite", "lmdb", "leveldb",
                                                   "persistent_cache_cpp"};

std::string microseconds(double us) {
  if (us >= 100) return grouped(static_cast<std::int64_t>(us + 0.5));
  return fmt::format("{:.{}f}", us, us < 10 ? 2 : 1);
}

std::string ratio(const Row& row, const Row* to) {
  if (to == nullptr || to->compared() <= 0) return "";
  const double ratio = row.compared() / to->compared();
  return ratio > 1 ? fmt::format("**{:.2f}**", ratio) : fmt::format("{:.2f}", ratio);
}

const Row* row_of(const Rows& rows, const Row& row, std::string_view system) {
  for (const Row& other : rows.all()) {
    if (other.system == system && are_compared(row, other)) return &other;
  }
  return nullptr;
}

std::string line_of(const Rows& rows, const Work& work, const Row& row) {
  std::string line =
      fmt::format("| {} | {}", work.what, grouped(static_cast<std::int64_t>(row.entries)));
  for (const std::string_view system : kSystems) {
    const Row* const theirs = row_of(rows, row, system);
    line += " | " + (theirs == nullptr ? std::string() : microseconds(theirs->compared()));
  }
  return line + " | " + ratio(row, rows.raw_row_for(row)) + " | " +
         ratio(row, rows.best_peer_row_for(row)) + " |\n";
}

}  // namespace

void write_summary(const Rows& rows, const std::string& path) {
  std::ofstream file(path);
  file << "| microseconds | entries | ashmemo | plain SQLite | LMDB | LevelDB | "
          "persistent-cache-cpp | x SQLite | x best other "
          "|\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  for (const Work& work : kWorks) {
    for (const Row& row : rows.all()) {
      const bool is_wanted = row.system == kSystems.front() && row.scenario == work.scenario &&
                             row.variant == work.variant && row.threads == work.threads;
      if (is_wanted) file << line_of(rows, work, row);
    }
  }
  file.flush();
  if (!file) throw std::runtime_error(fmt::format("could not write {}", path));
}

}  // namespace ashmemo::bench
