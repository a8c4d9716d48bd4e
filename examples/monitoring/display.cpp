#include "display.hpp"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <sstream>
#include <string_view>

#include "../common/terminal.hpp"

namespace monitoring {
namespace {

using ashmemo::KiB;

double percent(std::int64_t part, std::int64_t other) {
  const std::int64_t sum = part + other;
  return sum == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(sum);
}

std::int64_t in_ms(ashmemo::Duration length) { return length.count() / 1000; }

std::string row(std::string_view name, const std::string& value, const std::string& details) {
  return fmt::format("{:<12}{:>11}   {}\n", name, value, details);
}

std::string page_of(const Snapshot& snapshot, const ashmemo::Stats& before) {
  const ashmemo::Stats& now = snapshot.stats;
  const double latest = percent(now.hits - before.hits, now.misses - before.misses);
  std::string page =
      row("health", std::string(to_string(snapshot.health.state)),
          fmt::format("writes not kept {}", now.refused + now.dropped)) +
      row("hit ratio", fmt::format("{:.1f} %", latest),
          fmt::format("[{:.<40}]", std::string(static_cast<std::size_t>(latest * 0.4), '#'))) +
      row("  total", fmt::format("{:.1f} %", percent(now.hits, now.misses)),
          fmt::format("hits {:L}, from memory {:L}; misses {:L}", now.hits, now.memory_hits,
                      now.misses)) +
      row("  saved", fmt::format("{:L} ms", in_ms(now.saved)), "of computing") +
      row("entries", fmt::format("{:L}", now.entries),
          fmt::format("{:L} KiB; in memory {:L}, {:L} KiB", now.bytes / KiB, now.memory_entries,
                      now.memory_bytes / KiB)) +
      row("  removed", fmt::format("{:L}", now.evicted + now.expired + now.replaced + now.erased),
          fmt::format("evicted {:L}, expired {:L}, replaced {:L}", now.evicted, now.expired,
                      now.replaced)) +
      row("on disk", fmt::format("{:L} KiB", now.file_bytes / KiB),
          fmt::format("log {:L} KiB; commits {:L}", now.wal_bytes / KiB, now.commits));
  page += fmt::format("\n{:<22}{:>12}{:>12}{:>12}{:>12}\n", "calculation", "hits", "misses",
                      "hit ratio", "saved");
  for (const Snapshot::Calculation& one : snapshot.calculations) {
    page += fmt::format("{:<22}{:>12L}{:>12L}{:>10.1f} %{:>9L} ms\n", one.resource + ":" + one.name,
                        one.stats.hits, one.stats.misses, percent(one.stats.hits, one.stats.misses),
                        in_ms(one.stats.saved));
  }
  return page + "\nlatest events\n";
}

std::string line_of(const Snapshot& snapshot) {
  int notices = 0;
  for (const auto& kind : snapshot.notices) notices += kind.second;
  return fmt::format("health {}, hit ratio {:.1f} %, entries {:L}, evicted {:L}, notices {}\n",
                     to_string(snapshot.health.state),
                     percent(snapshot.stats.hits, snapshot.stats.misses), snapshot.stats.entries,
                     snapshot.stats.evicted, notices);
}

}  // namespace

Display::Display() : is_terminal_(example::is_terminal(STDOUT_FILENO)) {}

void Display::show(const Snapshot& snapshot, const std::deque<std::string>& events) {
  if (is_terminal_) {
    std::string page = page_of(snapshot, before_);
    const std::size_t columns = std::max<std::size_t>(window().columns, 20) - 1;
    for (const std::string& event : events) page += example::wrapped(event, columns);
    replace(page);
  } else {
    fmt::print("{}", line_of(snapshot));
  }
  std::fflush(stdout);
  before_ = snapshot.stats;
}

Display::Window Display::window() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

/// Moves the cursor up to the beginning of the snapshot before and clears everything below, so that
/// older output of the terminal remains. If the size of the window has changed, that position is
/// unknown, and the whole window is cleared.
void Display::replace(const std::string& page) {
  const Window now = window();
  if (lines_ > 0)
    fmt::print("{}", now == window_ ? fmt::format("\033[{}A\033[J", lines_) : "\033[H\033[J");
  window_ = now;
  lines_ = 0;
  std::istringstream lines(page);
  // The last row of the window is for the cursor. The last column remains empty, because a full row
  // would move the cursor to the next one.
  for (std::string line; lines_ + 1 < now.rows && std::getline(lines, line); ++lines_) {
    std::size_t end = std::min(line.size(), now.columns - 1);
    // Never cuts a character of UTF-8 in two.
    while (end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
    fmt::print("{}\n", line.substr(0, end));
  }
}

}  // namespace monitoring
