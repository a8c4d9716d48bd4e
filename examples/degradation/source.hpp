#pragma once

#include <string>

namespace degradation {

/// The source of the data is slow, and then it fails. Old results answer until new ones arrive.
void show_failing_source(const std::string& cache_file);

}  // namespace degradation
