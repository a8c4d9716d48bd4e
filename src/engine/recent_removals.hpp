#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace ashmemo::engine {

/// The last removals, by number: what was removed since a moment. Guarded by who has it.
///
/// What it does not remember exactly it takes for larger: a key is kept as its hash, of a long
/// prefix the beginning; whoever asks for more than it remembers is told that all was removed.
class RecentRemovals {
 public:
  static constexpr std::size_t kMax = 1'024;
  static constexpr std::size_t kMaxPrefix = 64;

  /// The number of the last one.
  [[nodiscard]] std::uint64_t last() const noexcept { return last_; }
  void add_key(std::string_view key) noexcept;
  void add_prefix(std::string_view prefix) noexcept;  // empty: everything

  /// What was removed after a number.
  class Since {
   public:
    Since(const RecentRemovals& removals, std::uint64_t number);
    [[nodiscard]] bool covers(std::string_view key) const;

   private:
    void sort();

    bool all_ = false;
    std::vector<std::size_t> keys_;  // hashes, sorted
    // Sorted, and none begins with another: only the last one up to a key can be its beginning.
    std::vector<std::string_view> prefixes_;
  };

 private:
  struct Removal {
    bool is_prefix = false;
    std::size_t hash = 0;
    std::string prefix;
  };

  void add(bool is_prefix, std::size_t hash, std::string_view prefix) noexcept;

  std::uint64_t last_ = 0;
  std::deque<Removal> known_;  // up to the last one
};

}  // namespace ashmemo::engine
