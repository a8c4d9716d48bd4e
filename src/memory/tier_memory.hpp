#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "eviction/ghost_table.hpp"
#include "memory/memory_tier.hpp"
#include "memory/shared_words.hpp"
#include "memory/tier_index.hpp"
#include "memory/tier_ring.hpp"

namespace ashmemo::engine {

/// The entries of a shard and what decides which of them stay. See TierShard. One thread at a time
/// changes it; `find` may run meanwhile, and then answers anything: its caller asks the sequence
/// lock whether it counts.
class TierMemory {
 public:
  explicit TierMemory(std::size_t bytes);

  [[nodiscard]] bool find(std::string_view key, std::uint64_t hash, TierCopy& copy,
                          store::RowView& row) noexcept;

  /// Whether an entry of so many words may be kept.
  [[nodiscard]] bool admits(std::size_t words) const noexcept { return words <= main_.size() / 16; }
  /// Does nothing if there is an entry of this hash.
  void insert(std::string_view key, std::uint64_t hash, const store::RowView& row);
  /// Gives back what inserting a large entry needed beside it.
  void shrink() noexcept;
  void remove(std::uint64_t hash) noexcept;
  void clear() noexcept;

  [[nodiscard]] MemoryTier::Usage usage() const noexcept;

 private:
  [[nodiscard]] std::span<std::uint64_t> copy_of(std::size_t position, std::uint64_t hash,
                                                 TierCopy& copy) const noexcept;
  [[nodiscard]] std::optional<std::size_t> locate(std::uint64_t hash) noexcept;
  void evict_one();
  void evict_from_probation();
  void insert_into_main(std::uint64_t hash, std::span<const std::uint64_t> words);
  [[nodiscard]] std::size_t make_room_in_main(std::size_t words);
  void carry_oldest_of_main(std::uint64_t hash);
  std::size_t put_back_carried(std::size_t at);
  void write(std::size_t at, std::uint64_t hash, std::span<const std::uint64_t> words,
             unsigned reads) noexcept;
  [[nodiscard]] bool was_evicted_lately(std::uint64_t hash);
  [[nodiscard]] std::uint64_t hash_at(std::size_t position) const noexcept;
  [[nodiscard]] bool is_dead(std::size_t position) const noexcept;

  /// An entry of the main ring that goes round once more.
  struct Carried {
    std::uint64_t hash = 0;
    std::size_t words = 0;
    unsigned reads = 0;
  };

  SharedWords words_;
  TierIndex index_;
  TierRing probation_;
  TierRing main_;
  GhostTable ghosts_;
  // Kept between calls, so that inserting allocates nothing.
  std::vector<std::uint64_t> encoded_;
  std::vector<std::uint64_t> moving_;
  std::vector<std::uint64_t> carried_words_;
  std::vector<Carried> carried_;
};

}  // namespace ashmemo::engine
