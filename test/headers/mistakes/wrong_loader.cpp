#include "record.hpp"

// A loader with results of another type.
std::vector<int> mistake(ashmemo::Cache& cache) {
  return cache.get_or_compute_many<int>({"a", "b"}, [](std::span<const std::string_view> keys) {
    return std::vector<std::string>(keys.begin(), keys.end());
  });
}
