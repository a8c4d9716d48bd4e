#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include "store/rows.hpp"

// One entry of the memory tier, encoded as 64-bit words: a reader can read words while another
// thread writes them. Fields that most entries do not have take no space: an entry without a ttl
// needs four words, and those of its key and its value.

namespace ashmemo::memory {

/// Memory for a copy of one entry. Views into it are valid until its next use.
class TierCopy {
 public:
  /// Empty if there is no memory.
  [[nodiscard]] std::span<std::uint64_t> reserve(std::size_t words) noexcept {
    if (words <= small_.size()) return std::span(small_).first(words);
    if (large_size_ < words) {
      large_.reset(new (std::nothrow) std::uint64_t[words]);
      large_size_ = large_ ? words : 0;
    }
    return {large_.get(), large_ ? words : 0};
  }

 private:
  std::array<std::uint64_t, 256> small_;  // 2 KiB: most entries fit
  std::unique_ptr<std::uint64_t[]> large_;
  std::size_t large_size_ = 0;
};

namespace tier_entry {

/// The first word contains the number of words and which fields follow. It is never 0.
[[nodiscard]] std::size_t words_in(std::uint64_t first) noexcept;
[[nodiscard]] std::uint64_t as_dead(std::uint64_t first) noexcept;
[[nodiscard]] bool is_dead(std::uint64_t first) noexcept;
/// The second word is the hash of the key.
inline constexpr std::size_t kHashWord = 1;
inline constexpr std::size_t kMinWords = 4;

[[nodiscard]] std::size_t words_for(std::string_view key, const store::EntryView& row) noexcept;
/// `out` must have words_for() words.
void write(std::span<std::uint64_t> out, std::string_view key, std::uint64_t hash,
           const store::EntryView& row) noexcept;
/// Returns false if the entry has another key. `row` refers to the words. The words may be torn by
/// a writer: nothing beyond them is read, whatever lengths they contain.
[[nodiscard]] bool read(std::span<const std::uint64_t> words, std::string_view key,
                        store::EntryView& row) noexcept;

}  // namespace tier_entry

}  // namespace ashmemo::memory
