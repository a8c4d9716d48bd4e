#include "storm/report.hpp"

#include <cstdio>
#include <cstdlib>

namespace ashmemo::test {
namespace {

// ./test/run reads the output through a pipe. It sets the variable if it writes to a terminal.
bool is_watched() { return std::getenv("ASHMEMO_WATCHED") != nullptr; }

}  // namespace

std::chrono::milliseconds seconds_of_one_kind(int kinds) {
  const char* const given = std::getenv("ASHMEMO_STORM_SECONDS");
  const double seconds = given == nullptr ? 20 : std::strtod(given, nullptr);
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000 / kinds));
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

void print_line(const std::string& line) {
  std::fprintf(stderr, "%s%s\n", is_watched() ? "\r\x1b[K" : "", line.c_str());
}

void show_progress(const std::string& line) {
  if (is_watched()) std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
}

}  // namespace ashmemo::test
