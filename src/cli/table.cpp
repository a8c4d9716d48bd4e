#include "cli/table.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "cli/text.hpp"

namespace ashmemo::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kShortestName = 12;  // a narrow terminal breaks the lines rather than names

std::string blanks(std::size_t count) { return std::string(count, ' '); }

std::string on_the_left(const std::string& text, std::size_t width) {
  return text + blanks(width - std::min(width, columns_of(text)));
}

std::string on_the_right(const std::string& text, std::size_t width) {
  return blanks(width - std::min(width, columns_of(text))) + text;
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

std::string Table::text(std::optional<std::size_t> columns) const {
  std::vector<std::size_t> widths = this->widths();
  if (columns) {
    const std::size_t others =
        std::accumulate(widths.begin() + 1, widths.end(), kGap * (widths.size() - 1));
    const std::size_t room = *columns > others ? *columns - others : 0;
    widths[0] = std::min(widths[0], std::max(room, kShortestName));
  }
  std::string all;
  for (const Row& row : rows_) {
    all += on_the_left(shortened(row[0], widths[0]), widths[0]);
    for (std::size_t at = 1; at < row.size(); ++at) {
      all += blanks(kGap) + on_the_right(row[at], widths[at]);
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
