#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ashmemo::cli {

/// Aligned columns of text under their titles. The first one is a name, on the left; the others are
/// numbers, on the right.
class Table {
 public:
  using Row = std::vector<std::string>;

  explicit Table(Row titles) : rows_{std::move(titles)} {}

  /// As many cells as there are titles.
  void add(Row cells) { rows_.push_back(std::move(cells)); }

  /// One line a row. Where the width is known, names that are too long for it are shortened.
  [[nodiscard]] std::string text(std::optional<std::size_t> columns) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<Row> rows_;
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
