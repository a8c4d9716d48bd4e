#pragma once

#include <cstddef>
#include <string>
#include <string_view>

// Keys, values and names are whatever bytes somebody stored: none of them may command a terminal.

namespace ashmemo::cli {

/// The text with everything that is not plainly visible as \n, \t, \r or \xNN: control characters,
/// bytes that are no UTF-8, characters that cannot be seen or turn the direction of writing. For
/// messages and names of files.
[[nodiscard]] std::string printable(std::string_view text);

/// As printable, with each backslash doubled: what is printed is one text only, and in a shell
/// $'...' gives it back.
[[nodiscard]] std::string escaped(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

/// How many columns of a terminal the text takes.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// A key or a name in at most `columns` columns. Of a longer one its resource (what comes before
/// the first colon), `omission` and its end: records mostly differ there, as files of one folder
/// do.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t columns,
                                    std::string_view omission);

}  // namespace ashmemo::cli
