#include "engine/tier_index.hpp"

namespace ashmemo::engine {

void TierIndex::insert(std::uint64_t hash, std::size_t position, unsigned reads) noexcept {
  std::size_t at = home_of(tag_of(hash));
  while (places_.load(at) != 0) at = after(at);
  places_.store(at, tag_of(hash) << kTagShift | std::uint64_t{reads} << kReadsShift |
                        static_cast<std::uint64_t>(position + 1));
  ++used_;
}

unsigned TierIndex::remove(std::uint64_t hash, std::size_t position) noexcept {
  std::size_t at = home_of(tag_of(hash));
  while (position_in(places_.load(at)) != position) at = after(at);
  const unsigned reads = reads_in(places_.load(at));
  close_gap(at);
  --used_;
  return reads;
}

// Whatever was pushed away from its home by the one that leaves moves up: no graves are needed.
void TierIndex::close_gap(std::size_t gap) noexcept {
  const auto distance = [this](std::size_t from, std::size_t to) {
    return to >= from ? to - from : to + places_.size() - from;
  };
  for (std::size_t at = after(gap);; at = after(at)) {
    const std::uint64_t word = places_.load(at);
    if (word == 0) break;
    const std::size_t home = home_of(tag_in(word));
    if (distance(home, at) < distance(gap, at)) continue;  // its home lies behind the gap
    places_.store(gap, word);
    gap = at;
  }
  places_.store(gap, 0);
}

void TierIndex::clear() noexcept {
  if (used_ == 0) return;
  for (std::size_t at = 0; at < places_.size(); ++at) places_.store(at, 0);
  used_ = 0;
}

}  // namespace ashmemo::engine
