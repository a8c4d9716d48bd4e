#include "memory/tier_ring.hpp"

#include "memory/tier_entry.hpp"

namespace ashmemo::engine {

std::optional<std::size_t> TierRing::take(std::size_t count) noexcept {
  if (!has_wal_space(count)) return std::nullopt;
  if (room_ahead() < count) {
    // What is left before the end is too little: a first word of 0 says that nothing is there.
    if (head_ != end_) words_.store(head_, 0);
    used_ += end_ - head_;
    head_ = begin_;
  }
  const std::size_t at = head_;
  head_ += count;
  used_ += count;
  return at;
}

void TierRing::drop_oldest() noexcept {
  const std::size_t count = tier_entry::words_in(words_.load(tail_));
  tail_ += count;
  used_ -= count;
  skip_padding();
  if (used_ == 0) clear();
}

void TierRing::skip_padding() noexcept {
  if (used_ == 0) return;
  if (tail_ != end_ && words_.load(tail_) != 0) return;
  used_ -= end_ - tail_;
  tail_ = begin_;
}

void TierRing::clear() noexcept {
  head_ = tail_ = begin_;
  used_ = 0;
}

}  // namespace ashmemo::engine
