#pragma once

#include <ashmemo/options.hpp>

namespace ashmemo::api {

/// The options, if each of them can be; otherwise Error (invalid_options) naming the field and the
/// value.
[[nodiscard]] Options validated(Options options);

/// As validated, for limits set while the cache is open.
void validate(const Limits& limits);

}  // namespace ashmemo::api
