#pragma once

#include <fmt/core.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <locale>
#include <string>
#include <string_view>

#include "../grouped.hpp"

namespace tour {

/// The plain locale, but with commas: "{:L}" prints 1,234,567 whatever the user's own locale is.
[[nodiscard]] const std::locale& with_commas();

template <class... Args>
[[nodiscard]] std::string text(fmt::string_view format, const Args&... args) {
  return fmt::vformat(with_commas(), format, fmt::make_format_args(args...));
}

/// Prints a line, and shows it at once: what comes next may take its time.
template <class... Args>
void line(fmt::string_view format, const Args&... args) {
  fmt::print("{}\n", text(format, args...));
  std::fflush(stdout);
}

/// "812 bytes", "14 KiB", "3.2 MiB".
[[nodiscard]] std::string in_bytes(std::int64_t bytes);
/// "7 minutes", "12 hours".
[[nodiscard]] std::string in_words(std::chrono::seconds length);
using example::counted;

}  // namespace tour
