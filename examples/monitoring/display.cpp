#include "display.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

#include "../grouped.hpp"
#include "../printable.hpp"
#include "../terminal.hpp"

namespace monitoring {
namespace {

using example::counted;
using example::grouped;

double share(std::int64_t part, std::int64_t other) {
  return part + other == 0 ? 0 : static_cast<double>(part) / static_cast<double>(part + other);
}

std::string percent(double share) { return fmt::format("{:.1f} %", 100 * share); }

std::string bar(double share) {
  constexpr std::size_t kLength = 40;
  const auto filled = static_cast<std::size_t>(share * kLength);
  return std::string(filled, '#') + std::string(kLength - filled, '.');
}

std::string kib(std::int64_t bytes) { return grouped(bytes / ashmemo::KiB) + " KiB"; }

std::string in_ms(ashmemo::Duration length) { return grouped(length.count() / 1000) + " ms"; }

template <class... Parts>
std::string row(std::string_view name, const std::string& number, fmt::format_string<Parts...> more,
                Parts&&... parts) {
  return fmt::format("{:<12}{:>11}   {}\n", name, number,
                     fmt::format(more, std::forward<Parts>(parts)...));
}

/// What asking took since the last frame, and since the program began.
std::string asked(const ashmemo::Stats& now, const ashmemo::Stats& before) {
  const double latest = share(now.hits - before.hits, now.misses - before.misses);
  return row("hit ratio", percent(latest), "[{}]", bar(latest)) +
         row("  in all", percent(share(now.hits, now.misses)), "hits {}, of memory {}; misses {}",
             grouped(now.hits), grouped(now.memory_hits), grouped(now.misses)) +
         row("  saved", in_ms(now.saved), "of computing");
}

std::string contents(const ashmemo::Stats& now) {
  return row("entries", grouped(now.entries), "{}; in memory {}, {}", kib(now.bytes),
             grouped(now.memory_entries), kib(now.memory_bytes)) +
         row("  left", grouped(now.evicted + now.expired + now.replaced + now.erased),
             "evicted {}, expired {}, replaced {}", grouped(now.evicted), grouped(now.expired),
             grouped(now.replaced)) +
         row("on disk", kib(now.file_bytes), "and log {}; {}", kib(now.wal_bytes),
             counted(now.commits, "commit", "commits"));
}

std::string calculations(const Snapshot& snapshot) {
  std::string text = fmt::format("\n{:<22}{:>12}{:>12}{:>12}{:>12}\n", "calculation", "hits",
                                 "misses", "hit ratio", "saved");
  for (const Snapshot::Calculation& one : snapshot.calculations) {
    text += fmt::format("{:<22}{:>12}{:>12}{:>12}{:>12}\n",
                        example::printable(one.resource + ":" + one.name), grouped(one.stats.hits),
                        grouped(one.stats.misses), percent(share(one.stats.hits, one.stats.misses)),
                        in_ms(one.stats.saved));
  }
  return text;
}

std::string wrapped(std::string_view event, std::size_t columns) {
  const std::size_t most = std::max<std::size_t>(columns, 20) - 5;
  std::string text = "  ";
  while (event.size() > most) {
    std::size_t space = event.rfind(' ', most);
    if (space == 0 || space == event.npos) space = most;  // in the word
    text += fmt::format("{}\n   ", event.substr(0, space));
    event.remove_prefix(space);
  }
  return text + fmt::format("{}\n", event);
}

std::string page(const Snapshot& now, const ashmemo::Stats& before,
                 const std::deque<std::string>& events, std::size_t columns) {
  std::string text = row("health", std::string(to_string(now.health.state)), "{} not kept",
                         counted(now.stats.refused + now.stats.dropped, "write", "writes")) +
                     asked(now.stats, before) + contents(now.stats) + calculations(now) +
                     "\nlatest events\n";
  for (const std::string& event : events) text += wrapped(event, columns);
  return text;
}

std::string line(const Snapshot& now) {
  int notices = 0;
  for (const auto& kind : now.notices) notices += kind.second;
  return fmt::format("health {}, hit ratio {}, entries {}, evicted {}, notices {}\n",
                     to_string(now.health.state), percent(share(now.stats.hits, now.stats.misses)),
                     grouped(now.stats.entries), grouped(now.stats.evicted), notices);
}

}  // namespace

Display::Display() : in_place_(example::is_terminal(STDOUT_FILENO)) {}

void Display::show(const Snapshot& snapshot, const std::deque<std::string>& events) {
  if (in_place_) {
    const Window now = window();
    show_in_place(fitted(page(snapshot, before_, events, now.columns), now), now);
  } else {
    fmt::print("{}", line(snapshot));
  }
  std::fflush(stdout);
  before_ = snapshot.stats;
}

/// Goes up to where the last one began, and clears from there: what stood in the terminal before
/// stays. But where the window's size has changed the last one may be anywhere.
void Display::show_in_place(const std::string& text, const Window& window) {
  if (shown_lines_ > 0 && window != window_) {
    fmt::print("\033[H\033[J");
  } else if (shown_lines_ > 0) {
    fmt::print("\033[{}A\033[J", shown_lines_);
  }
  window_ = window;
  fmt::print("{}", text);
  shown_lines_ = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace monitoring
