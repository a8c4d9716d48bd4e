#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace example {

/// Whether somebody looks at it who sees more than plain text: a terminal that knows commands.
inline bool is_terminal(int file) {
  const char* const kind = std::getenv("TERM");
  return ::isatty(file) != 0 && (kind == nullptr || kind != std::string_view("dumb"));
}

}  // namespace example
