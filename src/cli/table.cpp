#include "cli/table.hpp"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "cli/text.hpp"

namespace ashmemo::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kMinName = 12;  // a narrow terminal breaks the lines rather than names

std::string blanks(std::size_t count) { return std::string(count, ' '); }

std::string on_the_left(const std::string& text, std::size_t width) {
  return text + blanks(width - std::min(width, columns_of(text)));
}

std::string on_the_right(const std::string& text, std::size_t width) {
  return blanks(width - std::min(width, columns_of(text))) + text;
}

// Of the name, which is always shown, and other columns.
std::size_t line_width(const std::vector<std::size_t>& widths,
                       const std::vector<std::size_t>& shown) {
  std::size_t width = kGap * (shown.size() - 1);
  for (const std::size_t at : shown) width += widths[at];
  return width;
}

}  // namespace

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const Row& row : rows_) {
    for (std::size_t at = 0; at < widths.size(); ++at) {
      widths[at] = std::max(widths[at], columns_of(row[at]));
    }
  }
  return widths;
}

// The columns that are shown.
std::vector<std::size_t> Table::shown_on(const std::optional<Screen>& screen) const {
  const std::vector<std::size_t> widths = this->widths();
  std::vector<std::size_t> shown(widths.size());
  std::iota(shown.begin(), shown.end(), std::size_t{0});
  for (const std::string& title : less_needed_) {
    if (!screen || line_width(widths, shown) <= screen->columns) break;
    std::erase_if(shown, [&](std::size_t at) { return rows_.front()[at] == title; });
  }
  return shown;
}

std::string Table::text(const std::optional<Screen>& screen) const {
  std::vector<std::size_t> widths = this->widths();
  const std::vector<std::size_t> shown = shown_on(screen);
  if (screen) {
    const std::size_t others = line_width(widths, shown) - widths[0];
    const std::size_t room = screen->columns > others ? screen->columns - others : 0;
    widths[0] = std::min(widths[0], std::max(room, kMinName));
  }
  const std::string_view omission = screen ? screen->omission : "";
  std::string all;
  for (const Row& row : rows_) {
    all += on_the_left(shortened(row[0], widths[0], omission), widths[0]);
    for (auto at = shown.begin() + 1; at != shown.end(); ++at) {
      all += blanks(kGap) + on_the_right(row[*at], widths[*at]);
    }
    all += '\n';
  }
  return all;
}

std::string Facts::text() const {
  std::size_t width = 0;
  for (const auto& line : lines_) width = std::max(width, columns_of(line.first));
  std::string all;
  for (const auto& line : lines_) {
    all += on_the_left(line.first, width) + blanks(kGap) + line.second + '\n';
  }
  return all;
}

}  // namespace ashmemo::cli
