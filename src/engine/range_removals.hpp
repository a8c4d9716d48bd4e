#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>

#include "engine/pending_items.hpp"

namespace ashmemo::engine {

/// The range removals that are not in the file yet, the newest of each prefix: what it covers, the
/// older ones do. Whether a key is covered costs one look-up for each length that their prefixes
/// have, however many they are, and allocates nothing.
///
/// Threads: guarded by its owner.
class RangeRemovals {
 public:
  /// It takes the place of an older one with its prefix.
  void add(const RangePtr& removal);
  /// Nothing, when a newer one has taken its place.
  void remove(const Range& removal);
  void clear();

  /// The newest one with exactly this prefix; null: none.
  [[nodiscard]] RangePtr find(std::string_view prefix) const;
  /// Whether one of them covers the key that is newer than `number`.
  [[nodiscard]] bool cover(std::string_view key, std::uint64_t number) const;
  [[nodiscard]] std::size_t size() const noexcept { return newest_.size(); }

 private:
  std::unordered_map<std::string_view, RangePtr> newest_;  // by their own prefixes
  std::map<std::size_t, std::size_t> lengths_;             // how many prefixes have each
};

}  // namespace ashmemo::engine
