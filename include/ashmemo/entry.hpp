#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <ashmemo/duration.hpp>
#include <ashmemo/value.hpp>

namespace ashmemo {

/// The state of an entry at a given moment.
///
///     computed_at ---- fresh_until ---- expires_at ---- keep_until
///        fresh            stale           kept            gone
///
/// An entry with a plain ttl has its three deadlines at the same moment. The next state begins
/// exactly at the deadline. If `computed_at` is in the future because the clock was set back, the
/// entry is `gone` until the clock has passed that moment again.
enum class Freshness : std::uint8_t {
  fresh = 0,  ///< answers
  stale = 1,  ///< answers, while a refresh runs (stale-while-revalidate, RFC 5861)
  kept = 2,   ///< answers only when computing fails (stale-if-error, RFC 5861)
  gone = 3,   ///< never answers; removed by the worker
};

/// The description of one entry. Moments are microseconds since 1970-01-01 UTC.
struct EntryInfo {
  std::string key;
  std::int64_t byte_size = 0;               ///< the bytes that the entry takes in the file
  std::int64_t inserted_at = 0;             ///< position in the eviction queue; not an exact time
  std::int64_t computed_at = 0;             ///< when the value was stored
  std::optional<std::int64_t> fresh_until;  ///< nullopt: same as expires_at
  std::optional<std::int64_t> expires_at;   ///< nullopt: never
  std::optional<std::int64_t> keep_until;   ///< nullopt: same as expires_at
  std::int64_t accessed_at = 0;
  std::int64_t access_count = 0;               ///< touches written: a lower bound of the reads
  std::optional<std::int64_t> calculation_id;  ///< nullopt: put directly
  std::optional<Duration> cost;                ///< the time that computing it took
  Freshness freshness = Freshness::fresh;      ///< at the moment of the call
};

/// Why an entry was removed.
enum class RemovalCause : std::uint8_t {
  erased = 0,    ///< by a call, with a retired calculation, or because too many removals waited
  replaced = 1,  ///< by a newer value for the same key
  expired = 2,   ///< its last deadline passed
  evicted = 3,   ///< to keep the cache within its limits
  damaged = 4,   ///< it did not match its checksum
};

[[nodiscard]] std::string_view to_string(RemovalCause cause) noexcept;

}  // namespace ashmemo
