#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <ashmemo/value.hpp>

namespace ashmemo::store {

/// A range of the primary key: `first` <= key < `end`. Keys are compared as bytes.
class KeyRange {
 public:
  /// All keys that begin with `prefix`. LIKE would read the whole table, and `_` and `%` would be
  /// wildcards.
  [[nodiscard]] static KeyRange of_prefix(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && end.back() == '\xFF') end.pop_back();
    if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
    return {std::string(prefix), std::move(end)};
  }

  [[nodiscard]] static KeyRange only(std::string_view key) {
    return {std::string(key), next_after(key)};
  }

  /// Excludes all keys up to `key`, and `key` itself.
  void start_after(std::string_view key) {
    if (key >= first_) first_ = next_after(key);
  }

  [[nodiscard]] std::string_view first() const noexcept { return first_; }
  /// The first key after the range. It is a blob if no text is greater than all keys of the range,
  /// because SQLite orders all blobs after all texts.
  [[nodiscard]] ValueView end() const noexcept {
    return end_.empty() ? ValueView::blob("") : ValueView::text(end_);
  }

 private:
  KeyRange(std::string first, std::string end) : first_(std::move(first)), end_(std::move(end)) {}

  static std::string next_after(std::string_view key) { return std::string(key) + '\0'; }

  std::string first_;
  std::string end_;
};

}  // namespace ashmemo::store
