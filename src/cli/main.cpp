// The program ashmemo: looks into a cache file, beside the application that has it open, and tidies
// up in one that no application has open. On the library's public headers only.

#include <ashmemo/error.hpp>

#include <cstdio>
#include <exception>
#include <functional>

#include "cli/arguments.hpp"

namespace ashmemo::cli {
namespace {

Exit exit_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::file_in_use:
      return Exit::in_use;
    case ErrorCode::invalid_key:
      return Exit::usage;
    default:
      return Exit::failed;
  }
}

Exit perform(const std::function<Exit()>& action) {
  try {
    const Exit exit = action();
    if (std::fflush(stdout) != 0) {
      throw CommandError(Exit::failed, "the output could not be written");
    }
    return exit;
  } catch (const CommandError& error) {
    complain(error.what());
    return error.exit();
  } catch (const Error& error) {
    complain(error.what());
    if (error.code() == ErrorCode::file_in_use) {
      complain("close the application first; stats, list, show, check and backup work beside it");
    }
    return exit_of(error.code());
  }
}

}  // namespace
}  // namespace ashmemo::cli

int main(int argc, char** argv) {
  try {
    return static_cast<int>(ashmemo::cli::perform(ashmemo::cli::action_of(argc, argv)));
  } catch (const std::exception& error) {
    ashmemo::cli::complain(error.what());
    return static_cast<int>(ashmemo::cli::Exit::failed);
  }
}
