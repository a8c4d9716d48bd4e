#include "memory/memory_tier.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <vector>

#include "base/key_hash.hpp"
#include "base/mutex.hpp"
#include "memory/tier_entry.hpp"
#include "memory/tier_table.hpp"

namespace ashmemo::memory {

/// A part of the memory tier. Threads that change it take its mutex. Readers use a sequence lock
/// instead: they read, then check that no change began meanwhile, and retry a few times.
class TierShard {
 public:
  explicit TierShard(std::size_t bytes) : bytes_(bytes) {}

  bool find(std::string_view key, MemoryTier::Look& look, TierCopy& copy,
            store::EntryView& row) noexcept;
  void fill(std::string_view key, const MemoryTier::Look& look,
            const store::EntryView& row) noexcept ASHMEMO_EXCLUDES(mutex_);

  void begin_change(std::uint64_t hash) noexcept ASHMEMO_EXCLUDES(mutex_);
  void begin_change_of_all() noexcept ASHMEMO_EXCLUDES(mutex_);
  void end_change() noexcept ASHMEMO_EXCLUDES(mutex_);

  [[nodiscard]] TierUsage usage() const noexcept ASHMEMO_EXCLUDES(mutex_);

 private:
  class Edit;

  void try_to_fill(std::string_view key, const MemoryTier::Look& look, const store::EntryView& row)
      ASHMEMO_REQUIRES(mutex_);

  const std::size_t bytes_;
  // Odd while a thread changes the table.
  alignas(64) std::atomic<std::uint64_t> sequence_{0};
  std::atomic<std::uint64_t> changes_{0};   // begun and ended changes of entries
  std::atomic<TierTable*> table_{nullptr};  // set by the first fill
  alignas(64) mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  std::unique_ptr<TierTable> owned_ ASHMEMO_GUARDED_BY(mutex_);
  int changing_ ASHMEMO_GUARDED_BY(mutex_) = 0;
};

namespace {

// A change takes about 1 us. A reader that retries more often than this reports a miss.
constexpr int kMaxTries = 8;

}  // namespace

/// Exists while the table changes.
class TierShard::Edit {
 public:
  explicit Edit(std::atomic<std::uint64_t>& sequence) noexcept
      : sequence_(sequence), before_(sequence.load(std::memory_order_relaxed)) {
    sequence_.store(before_ + 1, std::memory_order_relaxed);
  }
  ~Edit() { sequence_.store(before_ + 2, std::memory_order_release); }
  Edit(const Edit&) = delete;
  Edit& operator=(const Edit&) = delete;

 private:
  std::atomic<std::uint64_t>& sequence_;
  const std::uint64_t before_;
};

// Correctness: a reader that saw any word of a change also sees the odd sequence number, because
// the word was stored with release and loaded with acquire. So the second check of the sequence
// fails.
bool TierShard::find(std::string_view key, MemoryTier::Look& look, TierCopy& copy,
                     store::EntryView& row) noexcept {
  look.changes = changes_.load(std::memory_order_acquire);
  TierTable* const table = table_.load(std::memory_order_acquire);
  if (table == nullptr) return false;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const std::uint64_t before = sequence_.load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    const bool found = table->find(key, look.hash, copy, row);
    if (sequence_.load(std::memory_order_relaxed) == before) return found;
  }
  return false;
}

void TierShard::fill(std::string_view key, const MemoryTier::Look& look,
                     const store::EntryView& row) noexcept {
  if (!mutex_.try_lock()) return;
  try {
    try_to_fill(key, look, row);
  } catch (const std::exception&) {
    // Out of memory: no copy is stored.
  }
  mutex_.unlock();
}

void TierShard::try_to_fill(std::string_view key, const MemoryTier::Look& look,
                            const store::EntryView& row) {
  if (changing_ != 0 || changes_.load(std::memory_order_relaxed) != look.changes) return;
  if (!owned_) {
    owned_ = std::make_unique<TierTable>(bytes_);
    table_.store(owned_.get(), std::memory_order_release);
  }
  if (!owned_->admits(tier_entry::words_for(key, row))) return;
  {
    const Edit edit(sequence_);
    owned_->insert(key, look.hash, row);
  }
  owned_->shrink();
}

void TierShard::begin_change(std::uint64_t hash) noexcept {
  const base::Lock lock(mutex_);
  ++changing_;
  changes_.fetch_add(1, std::memory_order_release);
  if (!owned_) return;
  const Edit edit(sequence_);
  owned_->remove(hash);
}

void TierShard::begin_change_of_all() noexcept {
  const base::Lock lock(mutex_);
  ++changing_;
  changes_.fetch_add(1, std::memory_order_release);
  if (!owned_) return;
  const Edit edit(sequence_);
  owned_->clear();
}

void TierShard::end_change() noexcept {
  const base::Lock lock(mutex_);
  --changing_;
  changes_.fetch_add(1, std::memory_order_release);
}

TierUsage TierShard::usage() const noexcept {
  const base::Lock lock(mutex_);
  return owned_ ? owned_->usage() : TierUsage{};
}

namespace {

// Only threads that change entries wait for each other in a shard, and the maximum size of an entry
// is a share of a shard. So few large shards are better than many small ones.
constexpr std::size_t kShardBytes = 2 << 20;
constexpr std::size_t kMaxShards = 16;

}  // namespace

MemoryTier::MemoryTier(std::int64_t bytes) {
  const auto all = static_cast<std::size_t>(bytes);
  const std::size_t count = std::clamp<std::size_t>(all / kShardBytes, 1, kMaxShards);
  shards_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<TierShard>(all / count));
  }
}

MemoryTier::~MemoryTier() = default;

// Uses the lower half of the hash, because the index of a shard uses the upper bits.
TierShard& MemoryTier::shard_of(std::uint64_t hash) const noexcept {
  return *shards_[(hash & 0xffffffffU) * shards_.size() >> 32];
}

bool MemoryTier::find(std::string_view key, Look& look, TierCopy& copy,
                      store::EntryView& row) noexcept {
  look.hash = base::hash_of(key);
  return shard_of(look.hash).find(key, look, copy, row);
}

void MemoryTier::fill(std::string_view key, const Look& look,
                      const store::EntryView& row) noexcept {
  shard_of(look.hash).fill(key, look, row);
}

void MemoryTier::begin_change(std::string_view key) noexcept {
  const std::uint64_t hash = base::hash_of(key);
  shard_of(hash).begin_change(hash);
}

void MemoryTier::end_change(std::string_view key) noexcept {
  shard_of(base::hash_of(key)).end_change();
}

void MemoryTier::begin_change_of_all() noexcept {
  for (const auto& shard : shards_) shard->begin_change_of_all();
}

void MemoryTier::end_change_of_all() noexcept {
  for (const auto& shard : shards_) shard->end_change();
}

TierUsage MemoryTier::usage() const noexcept {
  TierUsage all;
  for (const auto& shard : shards_) {
    const TierUsage one = shard->usage();
    all.entries += one.entries;
    all.bytes += one.bytes;
  }
  return all;
}

std::unique_ptr<MemoryTier> make_memory_tier(std::int64_t bytes) {
  return bytes < MemoryTier::kMinBytes ? nullptr : std::make_unique<MemoryTier>(bytes);
}

}  // namespace ashmemo::memory
