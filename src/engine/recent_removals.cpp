#include "engine/recent_removals.hpp"

#include <functional>
#include <new>

namespace ashmemo::engine {

void RecentRemovals::add_key(std::string_view key) noexcept {
  add(false, std::hash<std::string_view>()(key), {});
}

void RecentRemovals::add_prefix(std::string_view prefix) noexcept {
  add(true, 0, prefix.substr(0, kMaxPrefix));
}

void RecentRemovals::add(bool is_prefix, std::size_t hash, std::string_view prefix) noexcept {
  ++last_;
  try {
    known_.push_back({is_prefix, hash, std::string(prefix)});
    if (known_.size() > kMax) known_.pop_front();
  } catch (const std::bad_alloc&) {
    known_.clear();
  }
}

RecentRemovals::Since::Since(const RecentRemovals& removals, std::uint64_t number) {
  const std::uint64_t missed = removals.last_ - number;
  all_ = missed > removals.known_.size();
  if (all_ || missed == 0) return;
  for (auto at = removals.known_.end() - static_cast<std::ptrdiff_t>(missed);
       at != removals.known_.end(); ++at) {
    if (at->is_prefix) {
      prefixes_.push_back(at->prefix);
    } else {
      keys_.push_back(at->hash);
    }
  }
  sort();
}

void RecentRemovals::Since::sort() {
  std::sort(keys_.begin(), keys_.end());
  std::sort(prefixes_.begin(), prefixes_.end());
  std::vector<std::string_view> shortest;
  for (const std::string_view prefix : prefixes_) {
    if (shortest.empty() || !prefix.starts_with(shortest.back())) shortest.push_back(prefix);
  }
  prefixes_.swap(shortest);
}

bool RecentRemovals::Since::covers(std::string_view key) const {
  if (all_) return true;
  if (keys_.empty() && prefixes_.empty()) return false;
  if (std::binary_search(keys_.begin(), keys_.end(), std::hash<std::string_view>()(key))) {
    return true;
  }
  const auto after = std::upper_bound(prefixes_.begin(), prefixes_.end(), key);
  return after != prefixes_.begin() && key.starts_with(*(after - 1));
}

}  // namespace ashmemo::engine
