#include "engine/range_removals.hpp"

#include <utility>

namespace ashmemo::engine {

void RangeRemovals::add(const RangePtr& removal) {
  const std::string_view prefix = removal->prefix;
  auto older = newest_.extract(prefix);
  if (!older.empty()) {
    older.key() = prefix;
    older.mapped() = removal;
    newest_.insert(std::move(older));
    return;
  }
  // First: a length of no prefix costs a look-up, a prefix without its length would not be found.
  std::size_t& prefixes = lengths_[prefix.size()];
  newest_.emplace(prefix, removal);
  ++prefixes;
}

void RangeRemovals::remove(const Range& removal) {
  const auto found = newest_.find(removal.prefix);
  if (found == newest_.end() || found->second.get() != &removal) return;
  const auto length = lengths_.find(removal.prefix.size());
  if (--length->second == 0) lengths_.erase(length);
  newest_.erase(found);
}

void RangeRemovals::clear() {
  newest_.clear();
  lengths_.clear();
}

RangePtr RangeRemovals::find(std::string_view prefix) const {
  const auto found = newest_.find(prefix);
  return found == newest_.end() ? nullptr : found->second;
}

bool RangeRemovals::cover(std::string_view key, std::uint64_t number) const {
  for (const auto& [length, count] : lengths_) {
    if (length > key.size()) return false;
    const auto found = newest_.find(key.substr(0, length));
    if (found != newest_.end() && found->second->number > number) return true;
  }
  return false;
}

}  // namespace ashmemo::engine
