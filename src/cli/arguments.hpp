#pragma once

#include <functional>

#include "cli/command.hpp"

// What the program was called with. The only place that knows CLI11, which takes long to compile.

namespace ashmemo::cli {

/// What the user wants done. Of help, and of arguments that cannot be: saying so.
[[nodiscard]] std::function<Exit()> action_of(int argc, char** argv);

}  // namespace ashmemo::cli
