#pragma once

#include <string>

namespace ashmemo::base {

/// The text with control characters written as \xNN, because they can be commands to a terminal or
/// begin a new line in a log. For messages that contain keys or names from a file.
[[nodiscard]] std::string printable(std::string text);

}  // namespace ashmemo::base
