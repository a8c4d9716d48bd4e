#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ashmemo::test {

inline constexpr std::int64_t kNever = INT64_MAX;

/// An entry as it was stored.
struct Kept {
  std::string value;
  std::int64_t computed_at = 0;
  std::int64_t expires_at = kNever;
  bool may_be_gone = false;  // the cache may have evicted it, or it was expired once

  [[nodiscard]] bool is_live(std::int64_t now) const {
    return computed_at <= now && now < expires_at;
  }
};

/// The entries that a cache must contain. After a permitted miss the model drops the key: the entry
/// must not come back.
class Model {
 public:
  /// `is_bounded`: the cache may evict any entry at any time.
  explicit Model(bool is_bounded) : is_bounded_(is_bounded) {}

  void put(const std::string& key, Kept kept) {
    kept.may_be_gone = is_bounded_;
    entries_[key] = std::move(kept);
  }
  /// Sets the time. The cache may delete entries that are expired now.
  void set_time(std::int64_t now) {
    now_ = now;
    for (auto& [key, kept] : entries_) kept.may_be_gone |= now >= kept.expires_at;
  }
  [[nodiscard]] std::int64_t now() const { return now_; }

  /// The live entry, or null.
  [[nodiscard]] const Kept* find(const std::string& key) const {
    const auto found = entries_.find(key);
    return found != entries_.end() && found->second.is_live(now_) ? &found->second : nullptr;
  }

  /// Checks the cache's answer: `is_there` is true if the cache found the key.
  void expect(const std::string& key, bool is_there) {
    INFO(key);
    const Kept* const kept = find(key);
    if (is_there || kept == nullptr) {
      REQUIRE(is_there == (kept != nullptr));
      return;
    }
    REQUIRE(kept->may_be_gone);
    entries_.erase(key);
  }
  void expect(const std::string& key, const std::optional<std::string>& found) {
    expect(key, found.has_value());
    if (found) REQUIRE(*found == find(key)->value);
  }

  /// `removed` is the number that the cache returned. It includes expired entries.
  void erase_prefix(const std::string& prefix, std::size_t removed) {
    std::size_t min_removed = 0;
    const std::size_t max_removed = std::erase_if(entries_, [&](const auto& each) {
      const bool matches = each.first.starts_with(prefix);
      min_removed += matches && !each.second.may_be_gone ? 1U : 0U;
      return matches;
    });
    REQUIRE(removed >= min_removed);
    REQUIRE(removed <= max_removed);
  }
  void erase(const std::string& key) { entries_.erase(key); }

  [[nodiscard]] std::vector<std::string> keys(const std::string& prefix) const {
    std::vector<std::string> keys;
    for (const auto& [key, kept] : entries_) {
      if (key.starts_with(prefix)) keys.push_back(key);
    }
    return keys;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  const bool is_bounded_;
  std::map<std::string, Kept> entries_;
  std::int64_t now_ = 0;
};

}  // namespace ashmemo::test
