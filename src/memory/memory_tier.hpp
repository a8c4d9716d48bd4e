#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>

#include "store/rows.hpp"

// Entries in memory, in front of the file: copies of rows that were read not long ago.
//
// A reader asks here first; what misses it asks of pending writes and the store, and then offers
// the row for a copy. Whoever changes an entry says so before and after (see TierChange): from
// before on the tier does not have it, and takes no copy that was read before the change was over.
// So the tier never has what pending writes or a newer state of the file would not answer.
//
// It may lose anything at any moment, and a miss here means nothing.

namespace ashmemo::engine {

/// Room for a copy of one entry. Views into it are good until it is used again.
class TierCopy {
 public:
  /// Empty where there is no memory to be had.
  [[nodiscard]] std::span<std::uint64_t> room(std::size_t words) noexcept {
    if (words <= here_.size()) return std::span(here_).first(words);
    if (more_size_ < words) {
      more_.reset(new (std::nothrow) std::uint64_t[words]);
      more_size_ = more_ ? words : 0;
    }
    return {more_.get(), more_ ? words : 0};
  }

 private:
  std::array<std::uint64_t, 256> here_;  // 2 KiB: what most entries are
  std::unique_ptr<std::uint64_t[]> more_;
  std::size_t more_size_ = 0;
};

class MemoryTier {
 public:
  static constexpr std::int64_t kMinBytes = 64 << 10;

  virtual ~MemoryTier() = default;

  /// Where a key was looked for, and as of which change.
  struct Look {
    std::uint64_t hash = 0;
    std::uint64_t changes = 0;
  };

  /// Looks for the key and leaves in `look` what a later `fill` needs. True: `row` tells of a copy
  /// in `copy`. Takes no lock, waits for nobody, allocates only for entries of more than 2 KiB.
  virtual bool find(std::string_view key, Look& look, TierCopy& copy,
                    store::RowView& row) noexcept = 0;
  /// Keeps a copy of the row, unless the key may have changed since the look. May do nothing.
  virtual void fill(std::string_view key, const Look& look, const store::RowView& row) noexcept = 0;

  // See TierChange.
  virtual void begin_change(std::string_view key) noexcept = 0;
  virtual void end_change(std::string_view key) noexcept = 0;
  virtual void begin_change_of_all() noexcept = 0;
  virtual void end_change_of_all() noexcept = 0;

  struct Usage {
    std::int64_t entries = 0;
    std::int64_t bytes = 0;  // taken from the system, its own overhead included
  };
  [[nodiscard]] virtual Usage usage() const noexcept = 0;
};

/// Held while a key, or everything, changes: from before the change can be seen anywhere until it
/// can be seen by everybody.
class TierChange {
 public:
  TierChange(MemoryTier* tier, std::string_view key) noexcept
      : tier_(tier), is_of_all_(false), key_(key) {
    if (tier_ != nullptr) tier_->begin_change(key_);
  }
  /// Of everything.
  explicit TierChange(MemoryTier* tier) noexcept : tier_(tier), is_of_all_(true) {
    if (tier_ != nullptr) tier_->begin_change_of_all();
  }
  ~TierChange() {
    if (tier_ == nullptr) return;
    is_of_all_ ? tier_->end_change_of_all() : tier_->end_change(key_);
  }
  TierChange(const TierChange&) = delete;
  TierChange& operator=(const TierChange&) = delete;

 private:
  MemoryTier* const tier_;
  const bool is_of_all_;
  const std::string_view key_;
};

/// A tier of at most so many bytes, all it needs included. Null for less than kMinBytes.
[[nodiscard]] std::unique_ptr<MemoryTier> make_memory_tier(std::int64_t bytes);

}  // namespace ashmemo::engine
