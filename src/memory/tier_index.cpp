#include "memory/tier_index.hpp"

#include <vector>

namespace ashmemo::engine {

void TierIndex::make_wal_space() {
  const std::size_t before = count();
  if (used_ < before / 2 || before == places_.size()) return;
  std::vector<std::uint64_t> words;
  words.reserve(used_);
  for (std::size_t at = 0; at < before; ++at) {
    if (const std::uint64_t word = places_.load(at); word != 0) words.push_back(word);
    places_.store(at, 0);
  }
  count_.store(std::min(2 * before, places_.size()), std::memory_order_release);
  for (const std::uint64_t word : words) place(word);
}

void TierIndex::insert(std::uint64_t hash, std::size_t position, unsigned reads) noexcept {
  place(tag_of(hash) << kTagShift | std::uint64_t{reads} << kReadsShift |
        static_cast<std::uint64_t>(position + 1));
  ++used_;
}

void TierIndex::place(std::uint64_t word) noexcept {
  const std::size_t count = this->count();
  std::size_t at = home_of(tag_in(word), count);
  while (places_.load(at) != 0) at = after(at, count);
  places_.store(at, word);
}

unsigned TierIndex::remove(std::uint64_t hash, std::size_t position) noexcept {
  const std::size_t count = this->count();
  std::size_t at = home_of(tag_of(hash), count);
  while (position_in(places_.load(at)) != position) at = after(at, count);
  const unsigned reads = reads_in(places_.load(at));
  close_gap(at);
  --used_;
  return reads;
}

// Whatever was pushed away from its home by the one that leaves moves up: no graves are needed.
void TierIndex::close_gap(std::size_t gap) noexcept {
  const std::size_t count = this->count();
  const auto distance = [count](std::size_t from, std::size_t to) {
    return to >= from ? to - from : to + count - from;
  };
  for (std::size_t at = after(gap, count);; at = after(at, count)) {
    const std::uint64_t word = places_.load(at);
    if (word == 0) break;
    const std::size_t home = home_of(tag_in(word), count);
    if (distance(home, at) < distance(gap, at)) continue;  // its home lies behind the gap
    places_.store(gap, word);
    gap = at;
  }
  places_.store(gap, 0);
}

void TierIndex::clear() noexcept {
  if (used_ == 0) return;
  for (std::size_t at = 0; at < count(); ++at) places_.store(at, 0);
  used_ = 0;
}

}  // namespace ashmemo::engine
