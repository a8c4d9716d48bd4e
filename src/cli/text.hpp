#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// Text for people. Keys, values and names can contain any bytes, so they are escaped before they
// are printed: no stored byte may act as a command to the terminal.

namespace ashmemo::cli {

/// Replaces control characters, invisible characters, characters that change the direction of
/// writing, and bytes that are not UTF-8 by \n, \t, \r or \xNN, and doubles each backslash. $'...'
/// in the shell turns the result back into the original text.
[[nodiscard]] std::string escaped(std::string_view text);

[[nodiscard]] bool is_utf8(std::string_view text);

/// "00FF", like SQLite's hex().
[[nodiscard]] std::string hex(std::string_view bytes);

/// The number of columns that an escaped text takes on a terminal.
[[nodiscard]] std::size_t columns_of(std::string_view text);

/// The end of an escaped text after "...", in at most `columns` columns, if all of it is wider.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t columns);

/// 1234567: "1,234,567".
[[nodiscard]] std::string grouped(std::int64_t number);

/// "1,234 entries", "1 entry".
[[nodiscard]] std::string counted(std::int64_t number, const char* singular, const char* plural);

/// "812 B", "1.2 MiB".
[[nodiscard]] std::string size_text(std::int64_t bytes);

/// "1,234,567 bytes (1.2 MiB)".
[[nodiscard]] std::string bytes_text(std::int64_t bytes);

/// A length of time in its largest unit: "3.5 h", "12 ms", "-2 d".
[[nodiscard]] std::string time_text(std::int64_t microseconds);

/// "2026-01-31 08:15:00 UTC".
[[nodiscard]] std::string moment_text(std::int64_t microseconds_since_1970);

}  // namespace ashmemo::cli
