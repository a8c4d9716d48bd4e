#include <doctest/doctest.h>

#include <utility>

#include "faults/trial.hpp"

// The parts of Trial that know the stored values: which a read may return and which must be found.

namespace ashmemo::test {
namespace {

constexpr std::size_t kLongText = 9'000;  // more than one page
constexpr std::size_t kText = 60;

std::string value_of(const std::string& key, int generation) {
  std::string value = key + '#' + std::to_string(generation) + '#';
  value.resize(key.starts_with("long") ? kLongText : kText, 'x');
  return value;
}

}  // namespace

std::string Trial::next_value(const std::string& key) {
  return value_of(key, known_.contains(key) ? ++generation_ : 0);
}

Trial::Known& Trial::stored(const std::string& key, const std::string& value, bool accepted,
                            const PutOptions& put_options) {
  Known& known = known_[key];
  if (accepted) known.earlier.merge(std::exchange(known.current, {}));
  known.current.insert(value);
  known.removed = false;
  known.kept = accepted;
  known.in_file = accepted && options.durability != Durability::relaxed;
  known.until = put_options.ttl ? clock->wall_now() + put_options.ttl->count() : kForever;
  return known;
}

void Trial::removed(Known& known) {
  known.earlier.merge(std::exchange(known.current, {}));
  known.removed = true;
  known.kept = known.in_file = false;
}

void Trial::removed_prefix(const std::string& prefix) {
  for (auto& [key, known] : known_) {
    if (key.starts_with(prefix)) removed(known);
  }
}

void Trial::flushed() {
  if (lost_accepted_writes()) return;
  for (auto& [key, known] : known_) known.in_file = known.kept;
}

void Trial::expect_correct(const std::string& key, const std::optional<std::string>& answer) {
  INFO("key " << key);
  if (!answer) return expect_missing(key);
  if (!is_correct(key, *answer)) FAIL_CHECK("wrong value: " << answer->substr(0, 40));
}

void Trial::expect_missing(const std::string& key) {
  if (nothing_fails && must_be_there(key)) FAIL_CHECK("lost: " << key);
}

void Trial::expect_all_in(const std::set<std::string>& seen) {
  for (const auto& [key, known] : known_) {
    if (!seen.contains(key)) expect_missing(key);
  }
}

// An earlier value is correct in two cases. The cache accepted a later write, then dropped and
// counted it. Or it reported a removal as uncommitted, and the file was opened again.
bool Trial::is_correct(const std::string& key, const std::string& answer) {
  const Known& known = known_[key];
  if (known.current.contains(answer)) return true;
  if (!known.earlier.contains(answer)) return false;
  return known.removed ? may_have_returned() : !known.in_file && lost_writes();
}

bool Trial::may_be_there(const std::string& key) {
  const Known& known = known_[key];
  return !known.current.empty() || (!known.earlier.empty() && may_have_returned());
}

// An entry in the file may be lost only if the whole file is lost and the cache reports that. An
// accepted entry that is not in the file yet may be dropped and counted.
bool Trial::must_be_there(const std::string& key) {
  const auto known = known_.find(key);
  if (known == known_.end() || !known->second.kept) return false;
  if (may_lose || clock->wall_now() >= known->second.until) return false;
  if (heard.count(NoticeKind::quarantined) + heard.count(NoticeKind::everything_removed) > 0) {
    return false;
  }
  return known->second.in_file || !lost_accepted_writes();
}

bool Trial::may_have_returned() const {
  return reopened_ && heard.count(NoticeKind::removal_uncommitted) > 0;
}

bool Trial::lost_writes() { return lost_writes_ || (cache_ && cache_->stats().dropped > 0); }

// A put that was not accepted also counts as dropped.
bool Trial::lost_accepted_writes() {
  return lost_accepted_writes_ || (cache_ && cache_->stats().dropped > not_accepted_);
}

}  // namespace ashmemo::test
