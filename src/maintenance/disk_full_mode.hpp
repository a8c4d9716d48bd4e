#pragma once

#include <cstdint>

#include "base/saturate.hpp"
#include "engine/engine.hpp"

namespace ashmemo::maintenance {

/// The maximum size of one transaction. A row may change four pages. The write-ahead log (WAL), the
/// page cache and the callers that wait for the commit grow with each page.
struct Portion {
  int rows = 1'000;
  std::int64_t bytes = 4 * MiB;
};

/// The rules for a full disk, and whether they are in force.
///
/// SQLite appends a commit to the WAL and copies it into the file later. On a full disk the WAL
/// cannot grow. Therefore transactions become small enough for the space that the WAL already has,
/// and the WAL is copied after each of them. If that is not enough, the limit on bytes falls below
/// the present size, so that new entries use the pages of evicted ones.
///
/// The mode begins when a transaction fails because the disk is full. It ends after one
/// `maintenance_interval`. If the disk is still full then, the next transaction fails and begins it
/// again.
class DiskFullMode {
 public:
  explicit DiskFullMode(const engine::Engine& engine) : engine_(engine) {}

  // While space is freed before a write: the maximum number of transactions, and the number of free
  // pages that is enough for the write.
  static constexpr int kMaxSteps = 80;
  static constexpr std::int64_t kEnoughPages = 128;
  // A larger entry may never find enough space. It must not block the writes behind it.
  static constexpr std::int64_t kMaxEntryBytes = 512 * KiB;

  void begin();
  /// Ends the mode if its time is over.
  void end_if_due();
  [[nodiscard]] bool is_active() const noexcept { return is_active_; }

  /// The maximum size of the next transaction.
  [[nodiscard]] Portion portion() const noexcept;
  /// The limit on the bytes of all entries: Limits::max_bytes or less.
  [[nodiscard]] std::int64_t max_bytes() const;
  /// Sets the limit below `bytes`, the present size. Changes nothing below 1 MiB, because so small
  /// a cache does not fill the disk.
  void lower_limit(std::int64_t bytes);

  /// While this lives, transactions only free space: a commit does not mean that the store accepts
  /// writes again.
  class FreeingSpace {
   public:
    explicit FreeingSpace(DiskFullMode& mode) : mode_(mode) { mode_.is_freeing_space_ = true; }
    ~FreeingSpace() { mode_.is_freeing_space_ = false; }
    FreeingSpace(const FreeingSpace&) = delete;
    FreeingSpace& operator=(const FreeingSpace&) = delete;

   private:
    DiskFullMode& mode_;
  };
  [[nodiscard]] bool is_freeing_space() const noexcept { return is_freeing_space_; }

 private:
  const engine::Engine& engine_;
  bool is_active_ = false;
  bool is_freeing_space_ = false;
  std::int64_t ends_at_ = 0;                     // steady clock
  std::int64_t lowered_limit_ = base::kForever;  // bytes
};

}  // namespace ashmemo::maintenance
