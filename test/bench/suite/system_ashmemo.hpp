#pragma once

#include <string>

#include <ashmemo/cache.hpp>

namespace ashmemo::bench {

struct Setup;

/// Where a directory of the suite has its cache file, and how it is opened: for what goes beyond
/// the interface that all systems share.
[[nodiscard]] std::string cache_file(const std::string& directory);
[[nodiscard]] Options cache_options(const Setup& setup);

}  // namespace ashmemo::bench
