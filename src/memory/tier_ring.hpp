#pragma once

#include <cstddef>
#include <optional>

#include "memory/shared_words.hpp"

namespace ashmemo::engine {

/// A queue of entries in a part of a shard's words: each lies in one piece, the newest follows the
/// one before it, and room is made by dropping the oldest. So there is nothing to allocate and
/// nothing that could be fragmented. Used by the one thread that changes the shard.
class TierRing {
 public:
  /// Of the words from `begin` up to `end`.
  TierRing(SharedWords& words, std::size_t begin, std::size_t end) noexcept
      : words_(words), begin_(begin), end_(end), head_(begin), tail_(begin) {}

  [[nodiscard]] bool empty() const noexcept { return used_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

  /// Whether `take` of so many would find room.
  [[nodiscard]] bool has_wal_space(std::size_t count) const noexcept {
    return room_ahead() >= count || (!runs_round() && tail_ - begin_ >= count);
  }
  /// Takes so many words in one piece; nullopt: first something old has to go.
  [[nodiscard]] std::optional<std::size_t> take(std::size_t count) noexcept;
  /// Where the oldest entry lies. There is one.
  [[nodiscard]] std::size_t oldest() const noexcept { return tail_; }
  void drop_oldest() noexcept;
  void clear() noexcept;

 private:
  /// Whether the newest lies before the oldest.
  [[nodiscard]] bool runs_round() const noexcept { return used_ != 0 && head_ <= tail_; }
  [[nodiscard]] std::size_t room_ahead() const noexcept {
    return (runs_round() ? tail_ : end_) - head_;
  }
  void skip_padding() noexcept;

  SharedWords& words_;
  const std::size_t begin_;
  const std::size_t end_;
  std::size_t head_;  // where the next one goes
  std::size_t tail_;  // the oldest
  std::size_t used_ = 0;
};

}  // namespace ashmemo::engine
