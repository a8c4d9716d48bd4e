#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "engine/time.hpp"

namespace ashmemo::engine {

/// The records of one calculation that failed while an older value of each still answers. Each one
/// pauses by itself, so a broken record stops no other record.
///
/// Its memory has a limit. If more records fail, it forgets all of them. Each of them then runs
/// once more before it pauses again.
///
/// Threads: any.
class FailedRecords {
 public:
  /// About 6,000 records with keys of usual length.
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

  [[nodiscard]] bool empty() const noexcept { return is_empty_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool is_paused(std::string_view key, std::int64_t now) const;
  /// The maximum size of a batch that contains this record. It is half the size of the last such
  /// batch that threw, so that a few attempts separate a broken record from the others of its
  /// batch.
  [[nodiscard]] std::size_t max_batch(std::string_view key) const;

  /// A run that began at `began` failed for this record. It had `batch` records that failed
  /// together.
  void failed(std::string_view key, std::int64_t began, std::int64_t now, std::size_t batch);
  void succeeded(std::string_view key);
  /// Forgets records that no caller asked for in the minute after their pause. Looks once a minute.
  void forget_old(std::int64_t now);

 private:
  struct Record {
    BackOff back_off;
    std::size_t batch = 1;
  };
  /// The approximate memory of a record without its key.
  static constexpr std::size_t kRecordBytes = 128;

  [[nodiscard]] static std::size_t bytes_of(std::string_view key) noexcept {
    return key.size() + kRecordBytes;
  }

  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  std::map<std::string, Record, std::less<>> records_ ASHMEMO_GUARDED_BY(mutex_);
  std::size_t bytes_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::int64_t next_look_ ASHMEMO_GUARDED_BY(mutex_) = std::numeric_limits<std::int64_t>::min();
  std::atomic<bool> is_empty_{true};
};

}  // namespace ashmemo::engine
