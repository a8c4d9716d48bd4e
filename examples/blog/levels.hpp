#pragma once

#include <string>

namespace blog {

/// Calculations that ask for the results of other calculations, in three levels. Then calculations
/// that need each other, which is an error.
void show_levels(const std::string& cache_file);

}  // namespace blog
