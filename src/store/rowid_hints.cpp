#include "store/rowid_hints.hpp"

#include "base/key_hash.hpp"

namespace ashmemo::store {

namespace {

constexpr int kRowidBits = 40;
constexpr auto kRowidMask = static_cast<std::uint64_t>(RowidHints::kMaxRowid);

// The upper 24 bits of a hash are the fingerprint. The lower 32 bits choose the set.
std::uint64_t word_of(std::uint64_t hash, std::int64_t rowid) noexcept {
  return (hash & ~kRowidMask) | static_cast<std::uint64_t>(rowid);
}

bool has_fingerprint(std::uint64_t word, std::uint64_t hash) noexcept {
  return word != 0 && (word >> kRowidBits) == (hash >> kRowidBits);
}

// Chooses the hint that a full set forgets. If the hints themselves decided it, two keys could
// replace each other forever.
std::size_t random_below_8() noexcept {
  static thread_local std::uint64_t state = 0;
  state = state * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
  return static_cast<std::size_t>(state >> 61);
}

}  // namespace

RowidHints::RowidHints(std::int64_t bytes)
    : memory_(bytes),
      sets_(static_cast<Set*>(memory_.get())),
      count_(sets_ == nullptr ? 0 : static_cast<std::size_t>(bytes) / sizeof(Set)) {}

std::span<RowidHints::Slot> RowidHints::slots_of(std::uint64_t hash) const noexcept {
  if (count_ == 0) return {};
  constexpr std::uint64_t kLower = 0xFFFF'FFFF;
  return sets_[static_cast<std::size_t>((hash & kLower) * count_ >> 32)].slots;
}

std::optional<std::int64_t> RowidHints::find(std::string_view key) const noexcept {
  const std::uint64_t hash = base::hash_of(key);
  for (Slot& slot : slots_of(hash)) {
    const std::uint64_t word = slot.load();
    if (has_fingerprint(word, hash)) return static_cast<std::int64_t>(word & kRowidMask);
  }
  return std::nullopt;
}

void RowidHints::prefetch(std::string_view key) const noexcept {
  const std::span<Slot> slots = slots_of(base::hash_of(key));
  if (!slots.empty()) __builtin_prefetch(slots.data());
}

// Two threads may choose the same slot, and then one hint is lost.
void RowidHints::fill(std::string_view key, std::int64_t rowid) noexcept {
  if (count_ == 0 || rowid <= 0 || rowid > kMaxRowid) return;
  const std::uint64_t hash = base::hash_of(key);
  const std::uint64_t word = word_of(hash, rowid);
  const std::span<Slot> slots = slots_of(hash);
  Slot* empty = nullptr;
  for (Slot& slot : slots) {
    const std::uint64_t other = slot.load();
    if (has_fingerprint(other, hash)) {
      if (other != word) slot.store(word);
      return;
    }
    if (other == 0 && empty == nullptr) empty = &slot;
  }
  (empty != nullptr ? *empty : slots[random_below_8()]).store(word);
}

void RowidHints::forget(std::string_view key, std::int64_t rowid) noexcept {
  if (rowid <= 0 || rowid > kMaxRowid) return;
  const std::uint64_t hash = base::hash_of(key);
  const std::uint64_t word = word_of(hash, rowid);
  for (Slot& slot : slots_of(hash)) {
    if (slot.load() == word) slot.replace(word, 0);
  }
}

}  // namespace ashmemo::store
