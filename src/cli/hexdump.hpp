#pragma once

#include <string>
#include <string_view>

namespace ashmemo::cli {

/// Lines of 16 bytes: where they are, what they are, and as characters where they are some.
[[nodiscard]] std::string hexdump(std::string_view bytes);

/// As SQLite's hex(): "00FF".
[[nodiscard]] std::string hex(std::string_view bytes);

}  // namespace ashmemo::cli
