#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/platform.hpp"

namespace ashmemo::store {

/// Remembers the rowids of keys, so that a row is found with one search in the table. Otherwise it
/// takes a search in the index of keys and one in the table.
///
/// A hint may be wrong: another program may change the file, SQLite may use a rowid again, two keys
/// may look equal, and a reader may have an older snapshot. A caller compares the key of the row,
/// and searches by key if it differs. So the table need not follow changes of the file. It has a
/// fixed size and forgets hints when a part of it is full.
///
/// Threads: any, without locks.
class RowidHints {
 public:
  static constexpr std::int64_t kMinBytes = 64 * 1024;
  /// Larger rowids are not remembered. Other programs may choose them; the writer does not.
  static constexpr std::int64_t kMaxRowid = (std::int64_t{1} << 40) - 1;

  /// `bytes`: the size of the table, kMinBytes or more. 0: nothing is remembered. The same holds if
  /// the system does not have this much memory.
  explicit RowidHints(std::int64_t bytes);

  [[nodiscard]] std::optional<std::int64_t> find(std::string_view key) const noexcept;
  /// Loads what find() will read into the processor's cache, without waiting for it.
  void prefetch(std::string_view key) const noexcept;
  void fill(std::string_view key, std::int64_t rowid) noexcept;
  /// Does nothing if another rowid is remembered for the key by now.
  void forget(std::string_view key, std::int64_t rowid) noexcept;

  /// How many hints of the writer were right and wrong. Readers count theirs in RowSink, because
  /// many threads would take this cache line from each other.
  struct alignas(64) Uses {
    std::atomic<std::int64_t> right{0};
    std::atomic<std::int64_t> wrong{0};
  };
  void count_use(bool was_right) noexcept {
    (was_right ? uses_.right : uses_.wrong).fetch_add(1, std::memory_order_relaxed);
  }
  [[nodiscard]] const Uses& uses() const noexcept { return uses_; }

 private:
  /// A fingerprint of the key (24 bits) and a rowid (40 bits); 0: empty.
  struct Slot {
    std::uint64_t bits;
    [[nodiscard]] std::uint64_t load() noexcept {
      return std::atomic_ref(bits).load(std::memory_order_relaxed);
    }
    void store(std::uint64_t word) noexcept {
      std::atomic_ref(bits).store(word, std::memory_order_relaxed);
    }
    void replace(std::uint64_t seen, std::uint64_t word) noexcept {
      std::atomic_ref(bits).compare_exchange_strong(seen, word, std::memory_order_relaxed);
    }
  };
  /// The slots where a key may be: one cache line.
  struct alignas(64) Set {
    std::array<Slot, 8> slots;
  };

  /// Empty if nothing is remembered.
  [[nodiscard]] std::span<Slot> slots_of(std::uint64_t hash) const noexcept;

  const base::ZeroedMemory memory_;
  Set* const sets_;
  const std::size_t count_;  // of the sets
  Uses uses_;
};

}  // namespace ashmemo::store
