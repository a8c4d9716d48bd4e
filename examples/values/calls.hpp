#pragma once

#include <string>

namespace values {

/// The calls of a cache for plain keys and values, without records and calculations.
void show_calls(const std::string& file);

}  // namespace values
