#pragma once

#include <string>

#include <ashmemo/options.hpp>

namespace ashmemo::api {

/// Returns the options if every value is possible. Otherwise it throws Error (invalid_options),
/// which names the field and the value.
[[nodiscard]] Options validated(Options options);

/// Returns the path of a cache or a backup. Throws Error (invalid_options) for ":memory:" and
/// "file:...". For SQLite these are a database in memory and a URI, but here files of these names
/// would be created.
[[nodiscard]] std::string validated(std::string path);

/// Checks limits in the same way; they can be set while the cache is open.
void validate(const Limits& limits);

}  // namespace ashmemo::api
