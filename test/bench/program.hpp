#pragma once

#include <cstdint>
#include <exception>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

namespace ashmemo::bench {

/// Parses the arguments and runs the benchmark. Returns the exit status of the program.
template <class Run>
int run_program(CLI::App& app, int argc, char** argv, Run run) {
  try {
    app.parse(argc, argv);
    run();
  } catch (const CLI::Error& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
  return 0;
}

/// "1,234,567" in every locale.
[[nodiscard]] inline std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > first + 3;) text.insert(at -= 3, 1, ',');
  return text;
}

}  // namespace ashmemo::bench
