#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/platform.hpp"
#include "eviction/ghost_table.hpp"
#include "memory/tier_entry.hpp"

namespace ashmemo::memory {

/// Words that one thread writes while others read them. A reader may get words of two states; a
/// sequence lock around the reads detects that (Boehm, "Can seqlocks get along with programming
/// language memory models?", MSPC 2012: loads acquire, stores release). All words are 0 at first,
/// and the system provides no memory for pages that were never written.
class SharedWords {
 public:
  explicit SharedWords(std::size_t count)
      : memory_(static_cast<std::int64_t>(count * sizeof(std::uint64_t))), count_(count) {
    if (count > 0 && memory_.get() == nullptr) throw std::bad_alloc();
  }

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t load(std::size_t at) const noexcept {
    return word(at).load(std::memory_order_acquire);
  }
  void store(std::size_t at, std::uint64_t value) noexcept {
    word(at).store(value, std::memory_order_release);
  }
  /// For a thread that is not the writer: writes only if the word still has the value `seen`.
  void replace(std::size_t at, std::uint64_t seen, std::uint64_t value) noexcept {
    word(at).compare_exchange_strong(seen, value, std::memory_order_relaxed);
  }

  void load(std::size_t at, std::span<std::uint64_t> out) const noexcept {
    const std::size_t count = out.size();
    std::uint64_t* const to = out.data();
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) {  // compilers do not unroll loops of atomics
      to[i] = load(at + i);
      to[i + 1] = load(at + i + 1);
      to[i + 2] = load(at + i + 2);
      to[i + 3] = load(at + i + 3);
    }
    for (; i < count; ++i) to[i] = load(at + i);
  }
  void store(std::size_t at, std::span<const std::uint64_t> words) noexcept {
    for (std::size_t i = 0; i < words.size(); ++i) store(at + i, words[i]);
  }

 private:
  [[nodiscard]] std::atomic_ref<std::uint64_t> word(std::size_t at) const noexcept {
    return std::atomic_ref<std::uint64_t>(static_cast<std::uint64_t*>(memory_.get())[at]);
  }

  base::ZeroedMemory memory_;
  std::size_t count_;
};

/// The positions of a shard's entries, by the hash of their keys, and how often each entry was read
/// recently (at most 3). Open addressing with linear probing, one word an entry. It begins small
/// and doubles when it is half full, so that a small index stays in the processor's cache.
///
/// One thread changes it. Other threads may look at the same time; the shard's sequence lock says
/// whether they saw one consistent state.
class TierIndex {
 public:
  static constexpr unsigned kMaxReads = 3;

  explicit TierIndex(std::size_t max_places)
      : places_(max_places), count_(std::min(max_places, kMinPlaces)) {}

  /// Whether four fifths of the places are used. Above that a lookup takes too long.
  [[nodiscard]] bool is_full() const noexcept { return used_ >= places_.size() / 5 * 4; }
  /// The number of places in use. The other places were never written.
  [[nodiscard]] std::size_t places() const noexcept { return count(); }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

  /// Calls `is_it(position)` for each entry that may have this hash until it returns true; then
  /// counts a read of that entry. Any thread.
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

  /// Doubles the index when it is half full. Call it before an insertion. May throw if there is no
  /// memory; then nothing has changed.
  void grow();
  void insert(std::uint64_t hash, std::size_t position, unsigned reads) noexcept;
  /// Removes an entry, which must exist; returns how often it was read.
  unsigned remove(std::uint64_t hash, std::size_t position) noexcept;
  void clear() noexcept;

 private:
  static constexpr std::size_t kMinPlaces = 64;

  // A place: | tag 30 | reads 2 | position + 1 in words 32 |; 0 means free.
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
  std::atomic<std::size_t> count_;  // places in use, counted from the first
  std::size_t used_ = 0;
};

/// A queue of entries in a part of a shard's words. Each entry is contiguous and follows the one
/// before it; dropping the oldest entry frees space. So it never allocates and never fragments.
/// Used by the one thread that changes the shard.
class TierRing {
 public:
  /// Uses the words from `begin` up to `end`.
  TierRing(SharedWords& words, std::size_t begin, std::size_t end) noexcept
      : words_(words), begin_(begin), end_(end), head_(begin), tail_(begin) {}

  [[nodiscard]] bool empty() const noexcept { return used_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

  /// Whether `take(count)` would succeed.
  [[nodiscard]] bool has_space(std::size_t count) const noexcept {
    return space_ahead() >= count || (!runs_round() && tail_ - begin_ >= count);
  }
  /// Takes `count` contiguous words; nullopt: drop an old entry first.
  [[nodiscard]] std::optional<std::size_t> take(std::size_t count) noexcept;
  /// The position of the oldest entry. The ring must not be empty.
  [[nodiscard]] std::size_t oldest() const noexcept { return tail_; }
  void drop_oldest() noexcept;
  void clear() noexcept;

 private:
  /// Whether the newest entry has a lower position than the oldest.
  [[nodiscard]] bool runs_round() const noexcept { return used_ != 0 && head_ <= tail_; }
  [[nodiscard]] std::size_t space_ahead() const noexcept {
    return (runs_round() ? tail_ : end_) - head_;
  }
  void skip_padding() noexcept;

  SharedWords& words_;
  const std::size_t begin_;
  const std::size_t end_;
  std::size_t head_;  // the position of the next entry
  std::size_t tail_;  // the oldest
  std::size_t used_ = 0;
};

/// How much a tier, or a part of it, contains.
struct TierUsage {
  std::int64_t entries = 0;
  std::int64_t bytes = 0;  // taken from the system, its own overhead included
};

/// The entries of a shard, and the policy that decides which of them stay.
///
/// The policy is S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP
/// 2023). A new entry goes into a small probation ring. An entry that is read there, or that left
/// it not long ago, goes into the main ring, where each round costs it one read.
///
/// One thread at a time changes it. `find` may run at the same time and may then return anything:
/// its caller checks the sequence lock.
class TierTable {
 public:
  explicit TierTable(std::size_t bytes);

  [[nodiscard]] bool find(std::string_view key, std::uint64_t hash, TierCopy& copy,
                          store::EntryView& row) noexcept;

  /// Whether an entry of this size may be stored.
  [[nodiscard]] bool admits(std::size_t words) const noexcept { return words <= main_.size() / 16; }
  /// Does nothing if an entry with this hash exists.
  void insert(std::string_view key, std::uint64_t hash, const store::EntryView& row);
  /// Frees the working memory that inserting a large entry needed.
  void shrink() noexcept;
  void remove(std::uint64_t hash) noexcept;
  void clear() noexcept;

  [[nodiscard]] TierUsage usage() const noexcept;

 private:
  [[nodiscard]] std::span<std::uint64_t> copy_of(std::size_t position, std::uint64_t hash,
                                                 TierCopy& copy) const noexcept;
  [[nodiscard]] std::optional<std::size_t> locate(std::uint64_t hash) noexcept;
  void evict_one();
  void evict_from_probation();
  void insert_into_main(std::uint64_t hash, std::span<const std::uint64_t> words);
  [[nodiscard]] std::size_t make_space_in_main(std::size_t words);
  void carry_oldest_of_main(std::uint64_t hash);
  std::size_t put_back_carried(std::size_t at);
  void write(std::size_t at, std::uint64_t hash, std::span<const std::uint64_t> words,
             unsigned reads) noexcept;
  [[nodiscard]] bool was_evicted_recently(std::uint64_t hash);
  [[nodiscard]] std::uint64_t hash_at(std::size_t position) const noexcept;
  [[nodiscard]] bool is_dead(std::size_t position) const noexcept;

  /// An entry of the main ring that stays for one more round.
  struct Carried {
    std::uint64_t hash = 0;
    std::size_t words = 0;
    unsigned reads = 0;
  };

  SharedWords words_;
  TierIndex index_;
  TierRing probation_;
  TierRing main_;
  eviction::GhostTable ghosts_;
  // Working memory, kept between calls so that inserting does not allocate.
  std::vector<std::uint64_t> encoded_;
  std::vector<std::uint64_t> moving_;
  std::vector<std::uint64_t> carried_words_;
  std::vector<Carried> carried_;
};

}  // namespace ashmemo::memory
