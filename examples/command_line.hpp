#pragma once

#include <CLI/CLI.hpp>

#include <cstdlib>
#include <optional>

#include "arguments.hpp"

namespace example {

/// Parses what the program was called with. Returns the status that it ends with where this is all:
/// --help was answered, or what is wrong was said.
inline std::optional<int> parse(CLI::App& app, int count, const char* const* words) {
  try {
    app.parse(count, words);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;  // CLI11 has a number for each error
  }
}

}  // namespace example
