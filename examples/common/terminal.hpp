#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace example {

/// Whether `file` (STDOUT_FILENO, for example) is a terminal that understands escape sequences.
[[nodiscard]] bool is_terminal(int file);

/// A text from outside, such as a file name, made safe to print: each control character is shown as
/// \xNN. Otherwise a terminal would execute escape sequences in it.
[[nodiscard]] std::string printable(std::string_view text);

/// Breaks a text into lines of at most `columns` bytes, at spaces where possible. The first line is
/// indented by two spaces, the others by four. Every line ends with a newline.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t columns = 80);

}  // namespace example
