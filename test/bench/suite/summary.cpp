#include "bench/suite/summary.hpp"

#include <fstream>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include "bench/program.hpp"

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
    Work{"get of a key that was never stored", "miss"},
    Work{"get, Zipf(0.99), memory for a tenth", "zipf"},
    Work{"get_many of 100, a key", "get_many", "100 keys"},
    Work{"page of 100 stored together, idle queue, a key", "page", "stored into an idle queue"},
    Work{"page of 100 stored together, full queue, a key", "page", "stored into a full queue"},
    Work{"put, in bursts", "put"},
    Work{"put, each in the file", "put", "each in the file"},
    Work{"put, each synced", "put", "each synced"},
    Work{"put_many of 1,000, fresh, a row", "put_many", "fresh"},
    Work{"put_many of 1,000, overwriting, a row", "put_many", "overwriting"},
    Work{"put_many of 1,000, fresh, synced, a row", "put_many", "fresh, synced"},
    Work{"put_many of 1,000, overwriting, synced, a row", "put_many", "overwriting, synced"},
    Work{"95 % get, 5 % put, one thread", "mixed"},
    Work{"95 % get, 5 % put, two threads", "mixed", "", 2},
    Work{"open, and the first read", "open"},
};

std::string microseconds(double us) {
  if (us >= 100) return grouped(static_cast<std::int64_t>(us + 0.5));
  return fmt::format("{:.{}f}", us, us < 10 ? 2 : 1);
}

std::string ratio(const Row& row, const Row* to) {
  if (to == nullptr || to->compared() <= 0) return "";
  const double ratio = row.compared() / to->compared();
  return ratio > 1 ? fmt::format("**{:.2f}**", ratio) : fmt::format("{:.2f}", ratio);
}

/// The systems whose writes survive exactly this, with a comma between them.
std::string titles_of(const Rows& rows, const Row& row, Survives survives) {
  std::string titles;
  for (const auto& [system, title] : kSummarySystems) {
    const Row* const theirs = rows.row_of(system, row);
    if (theirs == nullptr || theirs->survives != survives) continue;
    titles += (titles.empty() ? "" : ", ") + std::string(title);
  }
  return titles;
}

/// What the writes of ashmemo survive, and then the systems that promise something else.
std::string survival_of(const Rows& rows, const Row& row) {
  if (!row.survives) return "";
  std::string text(to_string(*row.survives));
  for (const Survives other : {Survives::nothing, Survives::process_crash, Survives::power_cut}) {
    const std::string titles = titles_of(rows, row, other);
    if (other != row.survives && !titles.empty()) {
      text += fmt::format("; {}: {}", titles, to_string(other));
    }
  }
  return text;
}

std::string line_of(const Rows& rows, const char* what, const Row& row) {
  std::string line =
      fmt::format("| {} | {} | {}", what, grouped(static_cast<std::int64_t>(row.entries)),
                  survival_of(rows, row));
  for (const auto& [system, title] : kSummarySystems) {
    const Row* const theirs = rows.row_of(system, row);
    line += " | " + (theirs == nullptr ? std::string() : microseconds(theirs->compared()));
  }
  return line + " | " + ratio(row, rows.raw_row_for(row)) + " | " +
         ratio(row, rows.best_peer_row_for(row)) + " |\n";
}

}  // namespace

std::vector<SummaryLine> summary_lines(const Rows& rows) {
  std::vector<SummaryLine> lines;
  for (const Work& work : kWorks) {
    for (const Row& row : rows.all()) {
      const bool is_wanted = row.system == kSummarySystems.front().system &&
                             row.scenario == work.scenario && row.variant == work.variant &&
                             row.threads == work.threads;
      if (is_wanted) lines.push_back({work.what, &row});
    }
  }
  return lines;
}

void write_summary(const Rows& rows, const std::string& path) {
  std::ofstream file(path);
  file << "| microseconds | entries | survives";
  for (const auto& [system, title] : kSummarySystems) file << " | " << title;
  file << " | x SQLite | x best other |\n|---|--:|---|--:|--:|--:|--:|--:|--:|--:|\n";
  for (const auto& [what, row] : summary_lines(rows)) file << line_of(rows, what, *row);
  file.flush();
  if (!file) throw std::runtime_error(fmt::format("could not write {}", path));
}

}  // namespace ashmemo::bench
