#pragma once

#include <string>

namespace edge_sensor {

/// Writes ten times as many bytes as the limit allows and checks the promises: entries and memory
/// remain within their limits, the oldest entry is evicted first, and the files need at most
/// 1.25 x limit + 16 MiB + twice the largest entry. Then lowers the limits while the cache is open.
/// Throws std::runtime_error if a promise is broken.
void show_limits(const std::string& cache_file);

}  // namespace edge_sensor
