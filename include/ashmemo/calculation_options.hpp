#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <ashmemo/duration.hpp>
#include <ashmemo/options.hpp>

namespace ashmemo {

/// What belongs to the code of a calculation.
struct CalculationOptions {
  /// Raise it when the code gives other results than before: everything that any other version
  /// computed becomes invisible at once, at the same cost for ten results and ten million (from the
  /// resource's first load on). Another type of results does the same without a new version (see
  /// codec.hpp). An open cache knows one version and one type of a calculation: if another registry
  /// has loaded it, loads of a resource that declares another version or type are
  /// ErrorCode::misuse, until the cache is opened anew.
  std::uint32_t version = 1;
};

/// How long the results of a calculation are kept, and what they are good for when that time is
/// over.
///
///     stored ------- ttl -------|-- stale_while_revalidate --|
///            fresh              |   stale                    |
///                               |-------- stale_if_error --------|
///
/// All windows are counted from the moment a result is stored, and saturate. A policy that is
/// shortened holds for what was stored before, too. A ttl that is not positive and any negative
/// window is ErrorCode::misuse that names it.
struct CachePolicy {
  /// How long a result answers. Default: for ever; it leaves only by eviction.
  std::optional<Duration> ttl{};
  /// How long after the ttl the result still answers, while a refresh runs in the background on
  /// Hooks::executor (RFC 5861). A result is refreshed by one task at a time. One that fails
  /// changes nothing: it is counted, told as NoticeKind::calculation_failed, and the calculation's
  /// refreshes pause, for 1 s after the first failure in a row, twice as long after each further
  /// one, 1 min at most. Refused for records that cannot be copied, or are polymorphic: a refresh
  /// needs records of its own. It runs on another thread than the load: see Resource::scope for
  /// what it then knows of the caller. Default: not at all.
  std::optional<Duration> stale_while_revalidate{};
  /// How long after the ttl the result is kept in the file, to answer where computing fails (RFC
  /// 5861): where the calculation throws, if all records of that run have such a result, and for
  /// single records that are Failed. The failure is told, and the calculation pauses as above:
  /// until then these results answer without calling it. They count as misses. Default: not at all.
  std::optional<Duration> stale_if_error{};
  /// The ttl of results that are "nothing" (an empty std::optional). Default: as `ttl`. Zero: such
  /// a result is not kept. Without a meaning for results of other types.
  std::optional<Duration> negative_ttl{};
  /// Eviction::fifo: reads leave no touches on its results, so that under any policy of the cache
  /// they leave in the order they were stored, and cost no writes when read. For results that are
  /// read once, or scanned. Any other value is ErrorCode::misuse. Default: as the cache's.
  std::optional<Eviction> eviction{};

  friend bool operator==(const CachePolicy&, const CachePolicy&) = default;
};

/// One line for people: "ttl 30m, stale_while_revalidate 1h". What is not set is not named, but the
/// ttl.
[[nodiscard]] std::string to_string(const CachePolicy& policy);

/// How one load goes about its work.
struct LoadOptions {
  /// The longest that this load waits for results that other callers are computing; past it, it
  /// computes them itself. Negative is ErrorCode::misuse. Default: as long as they take.
  std::optional<Duration> wait{};
};

/// One calculation of a resource, for programs that look at themselves.
struct CalculationInfo {
  std::string name;
  std::uint32_t version = 1;
  bool takes_batches = false;           ///< computed for a whole batch in one call
  std::optional<CachePolicy> policy{};  ///< nullopt: not cached
};

/// What happened to one calculation; see Stats for the words. Of a cached one since its file was
/// begun: the numbers are in the file (`cache_by_calculation`) and survive a restart; a crash loses
/// those since the last flush. Of any other one since it was declared.
struct CalculationStats {
  std::int64_t hits = 0;
  std::int64_t stale_hits = 0;
  std::int64_t misses = 0;
  std::int64_t computed = 0;  ///< results, of uncached calculations too
  std::int64_t failed =
      0;             ///< records for which it threw or answered Failed; a batch that throws: all
  Duration saved{};  ///< what computing the values that hits answered took, summed
};

}  // namespace ashmemo
