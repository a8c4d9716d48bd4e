#pragma once

#include <string>

#include <ashmemo/options.hpp>

namespace ashmemo::api {

/// Returns the options if every value is possible. Otherwise it throws Error (invalid_options),
/// which names the field and the value.
[[nodiscard]] Options validated(Options options);

/// Returns the path. Throws Error (invalid_options) for ":memory:". For SQLite that name is a
/// database in memory, but this cache would create a file of that name.
[[nodiscard]] std::string validated(std::string path);

/// Checks limits in the same way; they can be set while the cache is open.
void validate(const Limits& limits);

}  // namespace ashmemo::api
