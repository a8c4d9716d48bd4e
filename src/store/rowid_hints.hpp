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
/// may look equal, and a reader may have an older snapshot. So a caller compares the key of the
/// row, and searches by key if it differs. Then no change of the file has to change the table. The
/// table has a fixed size and forgets hints when a part of it is full.
///
/// Threads: any, without locks.
class RowidHints {
 public:
  static constexpr std::int64_t kMinBytes = 64 * 1024;
  /// Larger rowids are not remembered. Only rows of other programs have them, or rows after a
  /// collision with such a row.
  static constexpr std::int64_t kMaxRowid = (std::int64_t{1} << 40) - 1;

  /// `bytes`: the size of the table, kMinBytes or more. 0: nothing is remembered.
  explicit RowidHints(std::int64_t bytes);

  [[nodiscard]] std::optional<std::int64_t> find(std::string_view key) const noexcept;
  void fill(std::string_view key, std::int64_t rowid) noexcept;
  /// Does nothing if another rowid is remembered for the key by now.
  void forget(std::string_view key, std::int64_t rowid) noexcept;
  void forget_all() noexcept;

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

  const std::size_t count_;  // of the sets
  const base::ZeroedMemory memory_;
  Set* const sets_;
  std::atomic<bool> is_used_{false};  // false: opening need not look at the whole table
};

}  // namespace ashmemo::store
