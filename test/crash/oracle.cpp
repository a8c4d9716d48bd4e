#include "crash/oracle.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace ashmemo::test {

void Oracle::forget() {
  for (States& states : keys_) states = {State{std::nullopt, 0}};
}

void Oracle::replay(const std::vector<Record>& records, Promise promise) {
  promise_ = promise;
  removals_hold_ = std::none_of(records.begin(), records.end(), [](const Record& record) {
    return record.step == Step::uncommitted;
  });
  flushes_.clear();
  for (std::size_t at = 0; at < records.size(); ++at) apply(records[at], at + 1);
}

void Oracle::apply(const Record& record, std::size_t at) {
  switch (record.step) {
    case Step::put_begun:
      return begin(record.key, record.version);
    case Step::put_accepted:
      return end(record.key, at, promise_ == Promise::put);
    case Step::erase_begun:
      return begin_removals(record.key, 1);
    case Step::erase_ended:
      return end_removals(record.key, 1, at);
    case Step::group_begun:
      return begin_removals(record.key * kKeysOfGroup, kKeysOfGroup);
    case Step::group_ended:
      return end_removals(record.key * kKeysOfGroup, kKeysOfGroup, at);
    case Step::clear_begun:
      return begin_removals(0, kKeys);
    case Step::clear_ended:
      end_invalidation(0, kPosts, record.version);
      return end_removals(0, kKeys, at);
    case Step::invalidate_ended:
      return end_invalidation(record.key, 1, record.version);
    case Step::invalidate_all_ended:
      return end_invalidation(0, kPosts, record.version);
    // Several threads flush at once, and the journal does not say whose flush ended. The oldest
    // begin is the safe choice.
    case Step::flush_begun:
      flushes_.push_back(at);
      return;
    case Step::flush_ended:
      flush(flushes_.front());
      flushes_.erase(flushes_.begin());
      return;
    default:
      return;
  }
}

void Oracle::begin(std::uint32_t key, std::optional<std::uint64_t> version) {
  keys_[key].push_back({version, std::nullopt});
}

// Calls on one key do not overlap, so the last one is the one that ended.
void Oracle::end(std::uint32_t key, std::size_t at, bool is_kept) {
  States& states = keys_[key];
  states.back().returned = at;
  if (is_kept) states = {states.back()};
}

void Oracle::begin_removals(std::uint32_t first, std::uint32_t count) {
  for (std::uint32_t key = first; key < first + count; ++key) begin(key, std::nullopt);
}

void Oracle::end_removals(std::uint32_t first, std::uint32_t count, std::size_t at) {
  for (std::uint32_t key = first; key < first + count; ++key) end(key, at, keeps_removals());
}

bool Oracle::keeps_removals() const noexcept {
  return promise_ != Promise::nothing && removals_hold_;
}

void Oracle::end_invalidation(std::uint32_t first, std::uint32_t count, std::uint64_t edition) {
  for (std::uint32_t post = first; keeps_removals() && post < first + count; ++post) {
    oldest_[post] = std::max(oldest_[post], edition);
  }
}

void Oracle::flush(std::size_t begun) {
  if (promise_ == Promise::nothing) return;
  for (States& states : keys_) {
    const auto last = std::find_if(states.rbegin(), states.rend(), [&](const State& state) {
      return state.returned && *state.returned < begun;
    });
    if (last != states.rend()) states.erase(states.begin(), std::prev(last.base()));
  }
}

std::string Oracle::check(std::uint32_t key, const std::optional<std::string>& found) {
  States& states = keys_[key];
  const auto version = found ? version_of(key, *found) : std::nullopt;
  if (found && !version) return fmt::format("{} is half-written: {}", key_name(key), *found);
  const bool allowed = std::any_of(states.begin(), states.end(), [&](const State& state) {
    if (state.version == version) return true;
    return !version && (may_evict_ || (state.version && expires(*state.version)));
  });
  std::string wrong;
  if (!allowed) {
    wrong = fmt::format("{} has version {}, allowed are:", key_name(key), version.value_or(0));
    for (const State& state : states) wrong += fmt::format(" {}", state.version.value_or(0));
  }
  states = {State{version, 0}};
  return wrong;
}

std::string Oracle::check_result(std::uint32_t post, std::int64_t found) const {
  const auto edition = edition_of(post, found);
  if (!edition)
    return fmt::format("the result of post {} belongs to another post: {}", post, found);
  if (*edition >= oldest_[post]) return {};
  return fmt::format(
      "the result of post {} has edition {}, but editions before {} were invalidated", post,
      *edition, oldest_[post]);
}

}  // namespace ashmemo::test
