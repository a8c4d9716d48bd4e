// The program ashmemo: looks into a cache file, beside the application that has it open, and tidies
// up in one that no application has open. On the library's public headers only.

#include <ashmemo/error.hpp>
#include <ashmemo/version.hpp>

#include <cstdio>
#include <exception>
#include <sstream>
#include <string>

#include "cli/command.hpp"

namespace ashmemo::cli {
namespace {

constexpr const char* kHelp =
    R"(stats, list, show, check and backup only read, also beside an application.
erase, clear and compact need the file for themselves.

Exit codes:
  0  done
  1  the command failed, or check found damage
  2  wrong usage
  3  an application has the file in use
  4  there is no such file, or no such key

Examples:
  ashmemo stats blog.cache.db
  ashmemo list blog.cache.db --sort size --limit 10
  ashmemo show blog.cache.db Post:42:word_count
  ashmemo erase --help)";

void declare(CLI::App& program, Action& chosen) {
  program.set_version_flag("--version", "ashmemo " + std::string(version()), "print the version");
  program.set_help_flag("--help,-h", "print this help");
  program.get_formatter()->column_width(24);
  program.footer(kHelp);
  program.require_subcommand(1);
  for (const auto add :
       {add_stats, add_list, add_show, add_check, add_backup, add_erase, add_clear, add_compact}) {
    add(program, chosen);
  }
}

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

Exit perform(const Action& action) {
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

// Help, which is ours, or what is wrong with the arguments, in which there may be anything.
Exit end_of_parsing(const CLI::App& program, const CLI::ParseError& error) {
  std::ostringstream help;
  std::ostringstream wrong;
  const bool is_help = program.exit(error, help, wrong) == 0;
  print(help.str());
  std::istringstream lines(wrong.str());
  for (std::string line; std::getline(lines, line);) complain(line);
  return is_help ? Exit::ok : Exit::usage;
}

int run(int argc, char** argv) {
  CLI::App program("Looks into a cache file of ashmemo.", "ashmemo");
  Action chosen;
  declare(program, chosen);
  try {
    program.parse(arguments_of(argc, argv));
  } catch (const CLI::ParseError& error) {
    return static_cast<int>(end_of_parsing(program, error));
  }
  return static_cast<int>(perform(chosen));
}

}  // namespace
}  // namespace ashmemo::cli

int main(int argc, char** argv) {
  try {
    return ashmemo::cli::run(argc, argv);
  } catch (const std::exception& error) {
    ashmemo::cli::complain(error.what());
    return static_cast<int>(ashmemo::cli::Exit::failed);
  }
}
