#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "memory/shared_words.hpp"

namespace ashmemo::engine {

/// Where entries of a shard lie, by the hash of their keys; and how often each was read lately, up
/// to 3. Open addressing with linear probing, one word an entry. It begins small and doubles while
/// it is half full: what few entries need stays in the processor's cache.
///
/// One thread changes it; others may look meanwhile, and must ask the shard's sequence lock whether
/// what they saw was one state of it.
class TierIndex {
 public:
  static constexpr unsigned kMaxReads = 3;

  explicit TierIndex(std::size_t most_places)
      : places_(most_places), count_(std::min(most_places, kMinPlaces)) {}

  /// More than four fifths full, a look takes too long.
  [[nodiscard]] bool is_full() const noexcept { return used_ >= places_.size() / 5 * 4; }
  /// So many are in use; none of the others was ever written.
  [[nodiscard]] std::size_t places() const noexcept { return count(); }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

  /// Calls `is_it(position)` for each entry that may have this hash, until it says yes; then notes
  /// that the entry was read. Any thread.
  template <class IsIt>
  bool look(std::uint64_t hash, IsIt is_it) noexcept {
    const std::size_t count = count_.load(std::memory_order_acquire);
    std::size_t at = home_of(tag_of(hash), count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t word = places_.load(at);
      if (word == 0) return false;
      if (tag_in(word) == tag_of(hash) && is_it(position_in(word))) {
        note_read(at, word);
        return true;
      }
      at = after(at, count);
    }
    return false;
  }

  /// Before an insertion, while it is not full. May throw for want of memory; nothing has changed
  /// then.
  void make_wal_space();
  void insert(std::uint64_t hash, std::size_t position, unsigned reads) noexcept;
  /// How often the entry was read. It is there.
  unsigned remove(std::uint64_t hash, std::size_t position) noexcept;
  void clear() noexcept;

 private:
  static constexpr std::size_t kMinPlaces = 64;

  // A place: | tag 30 | reads 2 | position + 1 in words 32 |; 0: free.
  static constexpr int kTagBits = 30;
  static constexpr int kTagShift = 34;
  static constexpr int kReadsShift = 32;

  [[nodiscard]] static std::uint64_t tag_of(std::uint64_t hash) noexcept {
    return hash >> kTagShift;
  }
  [[nodiscard]] static std::uint64_t tag_in(std::uint64_t word) noexcept {
    return word >> kTagShift;
  }
  [[nodiscard]] static unsigned reads_in(std::uint64_t word) noexcept {
    return static_cast<unsigned>(word >> kReadsShift) & kMaxReads;
  }
  [[nodiscard]] static std::size_t position_in(std::uint64_t word) noexcept {
    return static_cast<std::uint32_t>(word) - std::size_t{1};
  }
  [[nodiscard]] static std::size_t home_of(std::uint64_t tag, std::size_t count) noexcept {
    return static_cast<std::size_t>(tag * count >> kTagBits);
  }
  [[nodiscard]] static std::size_t after(std::size_t at, std::size_t count) noexcept {
    return at + 1 == count ? 0 : at + 1;
  }
  void note_read(std::size_t at, std::uint64_t word) noexcept {
    if (reads_in(word) == kMaxReads) return;
    places_.replace(at, word, word + (std::uint64_t{1} << kReadsShift));
  }
  [[nodiscard]] std::size_t count() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }
  void place(std::uint64_t word) noexcept;
  void close_gap(std::size_t gap) noexcept;

  SharedWords places_;
  std::atomic<std::size_t> count_;  // of the places, from the first on, that are in use
  std::size_t used_ = 0;
};

}  // namespace ashmemo::engine
