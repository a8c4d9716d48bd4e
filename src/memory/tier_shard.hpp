#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/mutex.hpp"
#include "memory/memory_tier.hpp"
#include "memory/tier_memory.hpp"

namespace ashmemo::engine {

/// A part of the memory tier, with its own lock for those who change it. Readers take none: they
/// read under a sequence lock, and where a change keeps getting in between they miss.
///
/// What is kept follows S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction",
/// SOSP 2023): new entries pass a small probation ring; those read again meanwhile, and those that
/// left it not long ago, get into the main ring, where each round forgives one read.
class TierShard {
 public:
  explicit TierShard(std::size_t bytes) : bytes_(bytes) {}

  bool find(std::string_view key, MemoryTier::Look& look, TierCopy& copy,
            store::RowView& row) noexcept;
  void fill(std::string_view key, const MemoryTier::Look& look, const store::RowView& row) noexcept
      ASHMEMO_EXCLUDES(mutex_);

  void begin_change(std::uint64_t hash) noexcept ASHMEMO_EXCLUDES(mutex_);
  void begin_change_of_all() noexcept ASHMEMO_EXCLUDES(mutex_);
  void end_change() noexcept ASHMEMO_EXCLUDES(mutex_);

  [[nodiscard]] MemoryTier::Usage usage() const noexcept ASHMEMO_EXCLUDES(mutex_);

 private:
  class Edit;

  void try_to_fill(std::string_view key, const MemoryTier::Look& look, const store::RowView& row)
      ASHMEMO_REQUIRES(mutex_);

  const std::size_t bytes_;
  // Odd while the memory is being changed.
  alignas(64) std::atomic<std::uint64_t> sequence_{0};
  std::atomic<std::uint64_t> changes_{0};     // of the file's entries, begun and ended
  std::atomic<TierMemory*> memory_{nullptr};  // since the first fill
  alignas(64) mutable base::Mutex mutex_;
  std::unique_ptr<TierMemory> owned_ ASHMEMO_GUARDED_BY(mutex_);
  int changing_ ASHMEMO_GUARDED_BY(mutex_) = 0;
};

}  // namespace ashmemo::engine
