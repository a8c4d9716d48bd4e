#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "store/rows.hpp"

// One entry of the memory tier as a run of 64-bit words, which is what can be read while somebody
// else writes it. What most entries do not have takes no room: four words, the key and the value
// are all that an entry without a ttl needs.

namespace ashmemo::engine::tier_entry {

/// The first word: the number of words, and what they are. Never 0.
[[nodiscard]] std::size_t words_in(std::uint64_t first) noexcept;
[[nodiscard]] std::uint64_t as_dead(std::uint64_t first) noexcept;
[[nodiscard]] bool is_dead(std::uint64_t first) noexcept;
/// The second word is the hash of the key.
inline constexpr std::size_t kHashWord = 1;
inline constexpr std::size_t kMinWords = 4;

[[nodiscard]] std::size_t words_for(std::string_view key, const store::RowView& row) noexcept;
/// `out` has words_for() words.
void write(std::span<std::uint64_t> out, std::string_view key, std::uint64_t hash,
           const store::RowView& row) noexcept;
/// False: the entry is of another key. `row` refers to the words. These may be torn: nothing beyond
/// them is read, whatever they say.
[[nodiscard]] bool read(std::span<const std::uint64_t> words, std::string_view key,
                        store::RowView& row) noexcept;

}  // namespace ashmemo::engine::tier_entry
