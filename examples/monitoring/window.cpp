#include "window.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace monitoring {
namespace {

std::size_t number_in(const char* variable, std::size_t otherwise) {
  const char* const value = std::getenv(variable);
  const int number = value == nullptr ? 0 : std::atoi(value);
  return number > 0 ? static_cast<std::size_t>(number) : otherwise;
}

/// The beginning of a line, in no more bytes than that, and with no half character of UTF-8.
std::string cut(const std::string& line, std::size_t most) {
  if (line.size() <= most) return line;
  while (most > 0 && (static_cast<unsigned char>(line[most]) & 0xC0U) == 0x80U) --most;
  return line.substr(0, most);
}

}  // namespace

Window window() {
  winsize size{};
  const bool is_known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return {is_known && size.ws_col > 0 ? size.ws_col : number_in("COLUMNS", 80),
          is_known && size.ws_row > 0 ? size.ws_row : number_in("LINES", 24)};
}

std::string fitted(const std::string& text, const Window& window) {
  std::istringstream lines(text);
  std::string shown;
  std::string line;
  // The cursor stands in a row of its own, below; a full row would take it to the next one.
  for (std::size_t row = 1; row < window.rows && std::getline(lines, line); ++row) {
    shown += cut(line, window.columns - 1) + '\n';
  }
  return shown;
}

}  // namespace monitoring
