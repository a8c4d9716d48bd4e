#pragma once

#include <cstdint>
#include <string>

#include <ashmemo/cache.hpp>

#include "bench/suite/survives.hpp"

namespace ashmemo::bench {

struct Setup;

/// The path of the cache file in a directory of the suite, and the options to open it with. For
/// scenarios that use more than the interface `System`.
[[nodiscard]] std::string cache_file(const std::string& directory);
[[nodiscard]] Options cache_options(const Setup& setup);
/// Bytes of a memory tier for all entries with its own overhead, and for a tenth of the data.
[[nodiscard]] std::int64_t tier_for_all(const Setup& setup);
[[nodiscard]] std::int64_t tier_for_a_tenth(const Setup& setup);
/// What a put survives when it has returned.
[[nodiscard]] Survives survives(Durability durability);

}  // namespace ashmemo::bench
