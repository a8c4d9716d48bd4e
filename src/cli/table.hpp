#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace ashmemo::cli {

/// Aligned columns of text under their titles. The first one is a name, on the left; the others are
/// numbers, on the right.
class Table {
 public:
  using Row = std::vector<std::string>;

  /// `less_needed`: the titles of the columns that are left out where there is no room for all, the
  /// first of them first.
  explicit Table(Row titles, Row less_needed = {})
      : rows_{std::move(titles)}, less_needed_(std::move(less_needed)) {}

  /// As many cells as there are titles.
  void add(Row cells) { rows_.push_back(std::move(cells)); }

  /// One line a row. On a screen that is too narrow columns are left out; if it still is, long
  /// names are shortened.
  [[nodiscard]] std::string text(const std::optional<Screen>& screen) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;
  [[nodiscard]] std::vector<std::size_t> shown_on(const std::optional<Screen>& screen) const;

  std::vector<Row> rows_;
  Row less_needed_;
};

/// Names on the left and what is to be said of each, in two columns.
class Facts {
 public:
  void add(std::string name, std::string what) {
    lines_.emplace_back(std::move(name), std::move(what));
  }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

}  // namespace ashmemo::cli
