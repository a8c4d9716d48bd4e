#pragma once

#include <cstdint>
#include <string>

// Numbers for people, with their units.

namespace ashmemo::cli {

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped(std::int64_t number);

/// "1,234 entries", "1 entry".
[[nodiscard]] std::string counted(std::int64_t number, const char* one, const char* more);

/// "812 B", "1.2 MiB": for columns.
[[nodiscard]] std::string size_text(std::int64_t bytes);

/// "1,234,567 bytes (1.2 MiB)".
[[nodiscard]] std::string bytes_text(std::int64_t bytes);

/// The largest unit of a length of time, cut off: "3 h". `microseconds` may be negative: "-3 h".
[[nodiscard]] std::string span_text(std::int64_t microseconds);

/// Three digits of a length of time: "1.23 s", "850 us"; past two minutes as span_text.
[[nodiscard]] std::string cost_text(std::int64_t microseconds);

/// "2026-01-31 08:15:00 UTC", of microseconds since 1970.
[[nodiscard]] std::string moment_text(std::int64_t microseconds);

/// "93.3 %" of all; "-" where there is nothing.
[[nodiscard]] std::string percent_text(std::int64_t part, std::int64_t all);

}  // namespace ashmemo::cli
