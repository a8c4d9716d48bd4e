#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <ashmemo/duration.hpp>
#include <ashmemo/options.hpp>

namespace ashmemo {

/// Options that belong to the code of a calculation.
struct CalculationOptions {
  /// Raise it when the code computes other results than before. After the resource's first load,
  /// all results of other versions are invisible. Cost: the same for any number of results. Another
  /// type of results has the same effect without a new version (see codec.hpp). An open cache knows
  /// one version and one type of a calculation: if another registry has loaded it, loads of a
  /// resource that declares another version or type are ErrorCode::misuse until the cache is opened
  /// again.
  std::uint32_t version = 1;
};

/// How long the results of a calculation are stored, and when they answer.
///
///     stored ------- ttl -------|-- stale_while_revalidate --|
///            fresh              |   stale                    |
///                               |-------- stale_if_error --------|
///
/// The ttl begins when a result is stored, and both stale windows begin at the end of the ttl. Sums
/// saturate: a window beyond the range of Duration never ends. A shorter policy also applies to
/// results that were stored before. ErrorCode::misuse, which names the field: a ttl that is not
/// longer than 0, a negative window, and a window without effect (a stale window without a ttl, and
/// negative_ttl for results that are never "nothing").
struct CachePolicy {
  /// How long a result answers. Default: forever, until it is evicted.
  std::optional<Duration> ttl{};
  /// How long after the ttl the result still answers, while a refresh runs in the background on
  /// Hooks::executor (RFC 5861). One task at a time refreshes a result, and at most two refreshes
  /// of a calculation run at once, so one that hangs does not stop other calculations. The newest
  /// request runs first. For each calculation the queue holds 1,000 records, or one larger page;
  /// older requests are dropped and counted (Stats::refreshes_dropped). If a refresh fails, the
  /// result does not change. The failure is counted and reported as NoticeKind::calculation_failed,
  /// and the record pauses: 1 s after the first failure in a row, then twice as long after each
  /// further failure, at most 1 min. Other records go on. If a batch throws, all its records pause;
  /// later runs try them in smaller batches, so that a broken record is soon alone. A removal
  /// of the record during that time wins: the refresh then stores nothing. The window is refused
  /// for records that cannot be copied or are polymorphic, because a refresh needs copies of them.
  /// The refresh runs on another thread than the load: Resource::scope describes the scope that it
  /// uses. Default: not at all.
  std::optional<Duration> stale_while_revalidate{};
  /// How long after the ttl the result is kept in the file, to answer if computing fails (RFC
  /// 5861). It answers if the calculation throws and all records of that run have such a result,
  /// and for single records that are Failed. It does not answer if the record was removed, or its
  /// key stored, during the failing run; then the load throws. The failure is reported, and the
  /// records that failed pause as above; during the pause their results answer without a call. They
  /// count as misses. Default: not at all.
  std::optional<Duration> stale_if_error{};
  /// The ttl of results that are "nothing" (an empty std::optional). Zero: such a result is not
  /// stored. Refused for results of other types. Default: the same as `ttl`.
  std::optional<Duration> negative_ttl{};
  /// Eviction::fifo: reads do not touch its results. Under any policy of the cache they are then
  /// evicted in the order in which they were stored, and reading them costs no writes. A new value
  /// for a live result keeps its place in that order. For results that are read once, or scanned.
  /// Any other value is ErrorCode::misuse. Default: the policy of the cache.
  std::optional<Eviction> eviction{};

  friend bool operator==(const CachePolicy&, const CachePolicy&) = default;
};

/// One line for people: "ttl 30m, stale_while_revalidate 1h". It contains the ttl and all fields
/// that are set.
[[nodiscard]] std::string to_string(const CachePolicy& policy);

/// Options of one load.
struct LoadOptions {
  /// The maximum time that this load waits for results that other callers compute. Afterwards it
  /// computes them itself. Negative is ErrorCode::misuse. Default: 1 min, so that a calculation
  /// that hangs does not stop other callers for ever.
  std::optional<Duration> wait{};
};

/// One calculation of a resource, for programs that show their own state.
struct CalculationInfo {
  std::string name;
  std::uint32_t version = 1;
  bool takes_batches = false;           ///< computed for a whole batch in one call
  std::optional<CachePolicy> policy{};  ///< nullopt: not cached
};

/// The counters of one calculation; Stats explains the words. For a cached calculation they begin
/// with its file: they are in the file (`cache_by_calculation`) and survive a restart, but a crash
/// loses the counts since the last flush. For other calculations they begin with the declaration.
struct CalculationStats {
  std::int64_t hits = 0;
  std::int64_t stale_hits = 0;
  std::int64_t misses = 0;
  std::int64_t computed = 0;  ///< results, of uncached calculations too
  /// Records for which it threw or returned Failed; all records of a batch that throws.
  std::int64_t failed = 0;
  Duration saved{};  ///< the sum of the times that computing the values of all hits took
};

}  // namespace ashmemo
