#include "memory/tier_shard.hpp"

#include <exception>

#include "memory/tier_entry.hpp"

namespace ashmemo::engine {

namespace {

// A change takes less than a microsecond or two; who meets more than this many does without.
constexpr int kMaxTries = 8;

}  // namespace

/// While it lives the memory is being changed.
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

// A reader that has seen any word of a change has, by the release and the acquire of that word,
// seen that the change has begun: the second look at the sequence tells.
bool TierShard::find(std::string_view key, MemoryTier::Look& look, TierCopy& copy,
                     store::RowView& row) noexcept {
  look.changes = changes_.load(std::memory_order_acquire);
  TierMemory* const memory = memory_.load(std::memory_order_acquire);
  if (memory == nullptr) return false;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const std::uint64_t before = sequence_.load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    const bool found = memory->find(key, look.hash, copy, row);
    if (sequence_.load(std::memory_order_relaxed) == before) return found;
  }
  return false;
}

void TierShard::fill(std::string_view key, const MemoryTier::Look& look,
                     const store::RowView& row) noexcept {
  if (!mutex_.try_lock()) return;
  try {
    try_to_fill(key, look, row);
  } catch (const std::exception&) {
    // No memory: nothing was kept.
  }
  mutex_.unlock();
}

void TierShard::try_to_fill(std::string_view key, const MemoryTier::Look& look,
                            const store::RowView& row) {
  if (changing_ != 0 || changes_.load(std::memory_order_relaxed) != look.changes) return;
  if (!owned_) {
    owned_ = std::make_unique<TierMemory>(bytes_);
    memory_.store(owned_.get(), std::memory_order_release);
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

MemoryTier::Usage TierShard::usage() const noexcept {
  const base::Lock lock(mutex_);
  return owned_ ? owned_->usage() : MemoryTier::Usage{};
}

}  // namespace ashmemo::engine
