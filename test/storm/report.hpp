#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ashmemo::test {

/// The time for one of `kinds` kinds of load. All kinds together take ASHMEMO_STORM_SECONDS. The
/// default is 20 seconds.
[[nodiscard]] std::chrono::milliseconds seconds_of_one_kind(int kinds);

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped(std::int64_t number);

void print_line(const std::string& line);
/// Prints a line that the next line overwrites. Prints nothing unless ASHMEMO_WATCHED is set.
void show_progress(const std::string& line);

}  // namespace ashmemo::test
