#pragma once

#include <string>

#include <ashmemo/cache.hpp>

namespace ashmemo::bench {

struct Setup;

/// The path of the cache file in a directory of the suite, and the options to open it with. For
/// scenarios that use more than the interface `System`.
[[nodiscard]] std::string cache_file(const std::string& directory);
[[nodiscard]] Options cache_options(const Setup& setup);

}  // namespace ashmemo::bench
