#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <iostream>

#include "cli/format.hpp"

namespace ashmemo::cli {
namespace {

constexpr std::int64_t kStepsShown = 10'000;  // between two looks at the line

bool shows_utf8() {
  return std::setlocale(LC_CTYPE, "") != nullptr &&
         nl_langinfo(CODESET) == std::string_view("UTF-8");
}

}  // namespace

std::optional<Screen> screen() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  if (size.ws_col == 0) return {};
  return Screen{size.ws_col, shows_utf8() ? "\u2026" : "..."};
}

Progress::Progress(std::string_view work) : work_(work), is_shown_(isatty(STDERR_FILENO) != 0) {
  show();
}

Progress::~Progress() {
  if (is_shown_) std::fputs("\r\x1B[K", stderr);
}

void Progress::step() {
  if (++steps_ % kStepsShown == 0) show();
}

void Progress::show() const {
  if (!is_shown_) return;
  const std::string so_far =
      steps_ == 0 ? "..." : fmt::format(": {}", counted(steps_, "entry", "entries"));
  fmt::print(stderr, "\r{}{}\x1B[K", work_, so_far);
  std::fflush(stderr);
}

std::optional<bool> confirmed(std::string_view question) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) return {};
  fmt::print(stderr, "{} [y/N] ", question);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace ashmemo::cli
