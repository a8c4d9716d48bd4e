#pragma once

#include <algorithm>
#include <cstdint>

#include <ashmemo/entry.hpp>

#include "base/saturate.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

using store::Deadlines;

/// How long a value may answer, counted from computed_at. Each duration includes the one before it.
struct Lifetimes {
  std::int64_t fresh = base::kForever;
  std::int64_t serve = base::kForever;
  std::int64_t keep = base::kForever;

  /// Whether the value is kept longer than it is served, for failures of its calculation.
  [[nodiscard]] constexpr bool is_kept() const { return keep > serve; }
};

/// For values that must never answer.
inline constexpr Lifetimes kNoLifetimes{0, 0, 0};

/// A lifetime of kForever never ends, even if `begin` is before 1970.
[[nodiscard]] constexpr std::int64_t end_of(std::int64_t begin, std::int64_t lifetime) {
  return lifetime == base::kForever ? lifetime : base::add_saturated(begin, lifetime);
}

/// The deadlines of a value stored at `now`.
[[nodiscard]] constexpr Deadlines deadlines_from(std::int64_t now, const Lifetimes& lifetimes) {
  return {now, end_of(now, lifetimes.fresh), end_of(now, lifetimes.serve),
          end_of(now, lifetimes.keep)};
}

/// The earlier deadline of each kind. So a policy that became shorter also applies to older
/// entries.
[[nodiscard]] constexpr Deadlines shortened(const Deadlines& stored, const Lifetimes& lifetimes) {
  const Deadlines now_allowed = deadlines_from(stored.computed_at, lifetimes);
  return {stored.computed_at, std::min(stored.fresh_until, now_allowed.fresh_until),
          std::min(stored.expires_at, now_allowed.expires_at),
          std::min(stored.keep_until, now_allowed.keep_until)};
}

/// The freshness of an entry at `now`. Only this function decides it, for the memory tier, the
/// write queue and the file.
///
/// An entry from the future does not answer. So the cache recovers by itself after a clock jumped
/// forward and back, and an entry outlives its ttl at most by the time that the clock was set back.
[[nodiscard]] constexpr Freshness freshness_of(const Deadlines& entry, std::int64_t now) {
  if (now < entry.computed_at) return Freshness::gone;
  if (now < entry.fresh_until && now < entry.expires_at) return Freshness::fresh;
  if (now < entry.expires_at) return Freshness::stale;
  if (now < entry.keep_until) return Freshness::kept;
  return Freshness::gone;
}

/// Whether an entry is fresh at every moment from `first` to `last`.
[[nodiscard]] constexpr bool is_fresh_throughout(const Deadlines& entry, std::int64_t first,
                                                 std::int64_t last) {
  return entry.computed_at <= first && last < entry.fresh_until && last < entry.expires_at;
}

/// Whether an entry answers reads.
[[nodiscard]] constexpr bool is_live(Freshness freshness) {
  return freshness == Freshness::fresh || freshness == Freshness::stale;
}

}  // namespace ashmemo::engine
