#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "cli/text.hpp"

namespace ashmemo::cli {
namespace {

constexpr std::size_t kGap = 2;             // columns between two columns of a table
constexpr std::size_t kMinKeyColumns = 12;  // on a narrower terminal, lines wrap

/// Unlimited if standard output is not a terminal.
std::size_t terminal_columns() {
  winsize size{};
  const bool is_known = isatty(STDOUT_FILENO) != 0 &&
                        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0;
  return is_known ? size.ws_col : std::numeric_limits<std::size_t>::max();
}

std::vector<std::size_t> widths_of(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t at = 0; at < widths.size(); ++at) {
      widths[at] = std::max(widths[at], columns_of(row[at]));
    }
  }
  return widths;
}

}  // namespace

void complain(std::string_view message) { fmt::print(stderr, "ashmemo: {}\n", escaped(message)); }

void print_json(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
}

void print_property(std::string_view name, std::string_view text) {
  fmt::print("{:<13}{}\n", name, text);
}

void print_table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths = widths_of(rows);
  std::size_t others = 0;  // the width of all columns but the first
  for (std::size_t at = 1; at < widths.size(); ++at) others += kGap + widths[at];
  const std::size_t columns = terminal_columns();
  const std::size_t for_key = columns > others ? columns - others : 0;
  widths[0] = std::min(widths[0], std::max(for_key, kMinKeyColumns));
  for (const Row& row : rows) {
    fmt::print("{:<{}}", shortened(row[0], widths[0]), widths[0]);
    for (std::size_t at = 1; at < row.size(); ++at) {
      fmt::print("{:>{}}", row[at], kGap + widths[at]);
    }
    fmt::print("\n");
  }
}

Progress::Progress(std::string_view operation) : is_shown_(isatty(STDERR_FILENO) != 0) {
  if (is_shown_) fmt::print(stderr, "{}...", operation);
}

Progress::~Progress() {
  if (is_shown_) std::fputs("\r\x1B[K", stderr);  // deletes the line
}

}  // namespace ashmemo::cli
