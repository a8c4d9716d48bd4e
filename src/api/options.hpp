#pragma once

#include <ashmemo/options.hpp>

namespace ashmemo::api {

/// Returns the options if every value is possible. Otherwise it throws Error (invalid_options), which
/// names the field and the value.
[[nodiscard]] Options validated(Options options);

/// Checks limits in the same way; they can be set while the cache is open.
void validate(const Limits& limits);

}  // namespace ashmemo::api
