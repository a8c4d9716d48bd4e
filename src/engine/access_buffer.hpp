#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "engine/time.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

/// Reads since a row was last written, coalesced: a fixed, lossy table in memory. A read leaves a
/// mark and goes on; the worker collects the marks and writes them together.
///
/// A mark names its row by rowid (never reused while a store is open) and is one atomic word with
/// its count, so a count can never be booked on another row; only the time beside it may be that of
/// a neighbouring read, which costs a little order and no count.
///
/// Threads: everything from any thread. Cost of a mark: a few atomic operations, no lock; for a hot
/// row a look.
class AccessBuffer {
 public:
  AccessBuffer();

  enum class Marked : std::uint8_t { fresh, coalesced, dropped };
  /// The touch of a row at `wall_now`. Of a row that is read over and over, and was marked a moment
  /// ago, not every read is written down: its count is a lower bound.
  Marked mark(std::int64_t rowid, std::int64_t wall_now, SequenceClock& sequence_clock) noexcept;

  /// The first `most` rows behind `after` that are marked, in the order of the rowids, so that
  /// neighbours share pages. Looks through the whole table.
  [[nodiscard]] std::vector<std::int64_t> rows(std::int64_t after = 0,
                                               std::size_t most = kMarks) const;
  /// Removes and returns the mark of one row. Eviction asks, too, before it decides.
  [[nodiscard]] std::optional<store::TouchRow> take(std::int64_t rowid) noexcept;
  /// Forgets everything: the rowids mean nothing in another store.
  void clear() noexcept;

  [[nodiscard]] bool empty() const noexcept { return used_.load(std::memory_order_relaxed) == 0; }

 private:
  // 64 Ki marks of 16 bytes: one MiB, whatever the cache holds.
  static constexpr int kLineBits = 14;
  static constexpr std::size_t kLines = std::size_t{1} << kLineBits;
  static constexpr std::size_t kWays = 4;
  static constexpr std::size_t kMarks = kLines * kWays;

  /// Both atomic. In memory that was zeroed by the system, and is none of it until it is written.
  struct Mark {
    std::uint64_t bits;  // rowid << 20 | count
    std::int64_t moment;
    [[nodiscard]] std::atomic_ref<std::uint64_t> word() noexcept { return std::atomic_ref(bits); }
    [[nodiscard]] std::atomic_ref<std::int64_t> stamp() noexcept { return std::atomic_ref(moment); }
  };
  /// What the processor fetches at once.
  struct alignas(64) Line {
    std::array<Mark, kWays> marks;
  };

  [[nodiscard]] static bool is_hot(Mark& mark, std::uint64_t word, std::int64_t wall_now) noexcept;
  [[nodiscard]] Marked mark_at(Mark& mark, std::uint64_t row, std::int64_t wall_now,
                               SequenceClock& sequence_clock) noexcept;
  template <class Visit>
  bool visit_places(std::int64_t rowid, Visit visit) noexcept;

  struct Free {
    void operator()(void* memory) const noexcept { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  Line* lines_;
  std::atomic<std::int64_t> used_{0};
};

}  // namespace ashmemo::engine
