#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ashmemo::test {

/// How long one kind of storm may take. All of them: ASHMEMO_STORM_SECONDS, or 20.
[[nodiscard]] std::chrono::milliseconds seconds_of_one_kind(int kinds);

/// 1234567 as "1,234,567".
[[nodiscard]] std::string grouped(std::int64_t number);

void print_line(const std::string& line);
/// Written over by the next line; only where somebody is watching (ASHMEMO_WATCHED is set).
void show_progress(const std::string& line);

}  // namespace ashmemo::test
