#pragma once

#include <string>

#include <ashmemo/options.hpp>

namespace ashmemo::api {

/// Returns the options if every value is possible. Otherwise it throws Error (invalid_options), which
/// names the field and the value.
[[nodiscard]] Options validated(Options options);

/// Returns the path unless it is ":memory:". SQLite means a database in memory by that name. Here
/// it would be a file of that name, which its user did not want: Error (invalid_options).
[[nodiscard]] std::string validated(std::string path);

/// Checks limits in the same way; they can be set while the cache is open.
void validate(const Limits& limits);

}  // namespace ashmemo::api
