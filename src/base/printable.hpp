#pragma once

#include <string>

namespace ashmemo::base {

/// A text that may be printed: control characters, which can be commands to a terminal or begin a
/// new line of a log, stand as \xNN. For what is said of keys, and of names that a file holds.
[[nodiscard]] std::string printable(std::string text);

}  // namespace ashmemo::base
