#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/platform.hpp"
#include "engine/time.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

/// Counts the reads of rows until the worker writes them: a fixed, lossy table in memory.
///
/// A mark is one atomic word with a rowid and a count, so a count never belongs to another row.
/// Rowids are not reused while a store is open. The time beside the word may belong to another
/// read. That changes the eviction order a little, but no count.
///
/// Threads: any. Cost of a mark: a few atomic operations and no lock; for a hot row one load.
class AccessBuffer {
 public:
  AccessBuffer();

  enum class Marked : std::uint8_t { fresh, coalesced, dropped };
  /// Marks a read of a row at `wall_now`. Some reads of a row that is read very often are not
  /// counted: the count is a lower bound.
  Marked mark(std::int64_t rowid, std::int64_t wall_now, SequenceClock& sequence_clock) noexcept;

  /// The first `limit` marked rows after the rowid `after`, in the order of rowids, so that
  /// neighbours share pages. Reads the whole table.
  [[nodiscard]] std::vector<std::int64_t> rows(std::int64_t after = 0,
                                               std::size_t limit = kMarks) const;
  /// Removes and returns the mark of one row. Eviction also calls this before it decides.
  [[nodiscard]] std::optional<store::TouchRow> take(std::int64_t rowid) noexcept;
  /// Removes all marks, because rowids have no meaning in another store.
  void clear() noexcept;

  [[nodiscard]] bool empty() const noexcept { return used_.load(std::memory_order_relaxed) == 0; }

 private:
  // 64 Ki marks of 16 bytes: one MiB for any size of the cache.
  static constexpr int kLineBits = 14;
  static constexpr std::size_t kLines = std::size_t{1} << kLineBits;
  static constexpr std::size_t kWays = 4;
  static constexpr std::size_t kMarks = kLines * kWays;

  /// Both fields are used as atomics.
  struct Mark {
    std::uint64_t bits;  // rowid << 20 | count
    std::int64_t moment;
    [[nodiscard]] std::atomic_ref<std::uint64_t> word() noexcept { return std::atomic_ref(bits); }
    [[nodiscard]] std::atomic_ref<std::int64_t> stamp() noexcept { return std::atomic_ref(moment); }
  };
  /// One cache line.
  struct alignas(64) Line {
    std::array<Mark, kWays> marks;
  };

  [[nodiscard]] static bool is_hot(Mark& mark, std::uint64_t word, std::int64_t wall_now) noexcept;
  [[nodiscard]] Marked mark_at(Mark& mark, std::uint64_t row, std::int64_t wall_now,
                               SequenceClock& sequence_clock) noexcept;
  template <class Visit>
  bool visit_places(std::int64_t rowid, Visit visit) noexcept;

  const base::ZeroedMemory memory_;
  Line* const lines_;
  std::atomic<std::int64_t> used_{0};
};

}  // namespace ashmemo::engine
