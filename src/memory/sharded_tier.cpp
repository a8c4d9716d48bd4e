#include <algorithm>
#include <functional>
#include <vector>

#include "memory/memory_tier.hpp"
#include "memory/tier_shard.hpp"

namespace ashmemo::engine {

namespace {

// Only those who change something meet in a shard, and the largest entry is a part of one: few
// large shards are better than many small ones.
constexpr std::size_t kBytesForAShard = 2 << 20;
constexpr std::size_t kMaxShards = 16;

class ShardedTier final : public MemoryTier {
 public:
  explicit ShardedTier(std::size_t bytes) {
    const std::size_t count = std::clamp<std::size_t>(bytes / kBytesForAShard, 1, kMaxShards);
    shards_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      shards_.push_back(std::make_unique<TierShard>(bytes / count));
    }
  }

  bool find(std::string_view key, Look& look, TierCopy& copy,
            store::RowView& row) noexcept override {
    look.hash = hash_of(key);
    return shard_of(look.hash).find(key, look, copy, row);
  }
  void fill(std::string_view key, const Look& look, const store::RowView& row) noexcept override {
    shard_of(look.hash).fill(key, look, row);
  }

  void begin_change(std::string_view key) noexcept override {
    const std::uint64_t hash = hash_of(key);
    shard_of(hash).begin_change(hash);
  }
  void end_change(std::string_view key) noexcept override { shard_of(hash_of(key)).end_change(); }
  void begin_change_of_all() noexcept override {
    for (const auto& shard : shards_) shard->begin_change_of_all();
  }
  void end_change_of_all() noexcept override {
    for (const auto& shard : shards_) shard->end_change();
  }

  [[nodiscard]] Usage usage() const noexcept override {
    Usage all;
    for (const auto& shard : shards_) {
      const Usage one = shard->usage();
      all.entries += one.entries;
      all.bytes += one.bytes;
    }
    return all;
  }

 private:
  // Not every standard library's hash has all its bits well mixed.
  [[nodiscard]] static std::uint64_t hash_of(std::string_view key) noexcept {
    std::uint64_t hash = std::hash<std::string_view>()(key);
    hash = (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15U;
    return hash ^ (hash >> 29);
  }
  // The index of a shard uses the upper bits.
  [[nodiscard]] TierShard& shard_of(std::uint64_t hash) const noexcept {
    return *shards_[(hash & 0xffffffffU) * shards_.size() >> 32];
  }

  std::vector<std::unique_ptr<TierShard>> shards_;
};

}  // namespace

std::unique_ptr<MemoryTier> make_memory_tier(std::int64_t bytes) {
  if (bytes < MemoryTier::kMinBytes) return nullptr;
  return std::make_unique<ShardedTier>(static_cast<std::size_t>(bytes));
}

}  // namespace ashmemo::engine
