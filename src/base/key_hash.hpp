#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace ashmemo::base {

/// The hash of a key, for tables in memory. Each process chooses its own seed at random. Otherwise
/// a user could prepare keys with equal hashes. Such keys would share one place in a table, and
/// each look-up would compare them all. Never write a hash to a file. The table of evicted keys in
/// `eviction` has a hash without a seed, because a look-up there compares at most 16 fingerprints.
/// Prepared keys can only displace each other there, which lowers the hit ratio.
[[nodiscard]] std::uint64_t hash_of(std::string_view key) noexcept;

struct KeyHash {
  // Not noexcept, so that libstdc++ stores the hashes in the table instead of computing them again.
  std::size_t operator()(std::string_view key) const {
    return static_cast<std::size_t>(hash_of(key));
  }
};

template <class T>
using KeyMap = std::unordered_map<std::string_view, T, KeyHash>;
template <class T>
using KeyMultimap = std::unordered_multimap<std::string_view, T, KeyHash>;

}  // namespace ashmemo::base
