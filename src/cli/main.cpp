// The program ashmemo. It shows what is in a cache file, also while an application has the file
// open, and it changes a cache file that no application has open. It uses the public headers only.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/version.hpp>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include "cli/commands.hpp"
#include "cli/terminal.hpp"

namespace ashmemo::cli {
namespace {

constexpr const char* kHelp =
    R"(stats, list, show, check and backup only read. They also work while an
application has the file open. erase, clear and compact do not.

Exit codes:
  0  success
  1  the command failed, or check found damage
  2  wrong usage
  3  an application has the file open
  4  there is no such file or key

Examples:
  ashmemo stats blog.cache.db
  ashmemo list blog.cache.db --sort size --limit 10
  ashmemo show blog.cache.db Post:42:word_count
  ashmemo erase --help)";

constexpr std::int64_t kMaxLimit = 1'000'000'000;

// CLI11 reads an argument such as [a,b] as a list. A NUL at the end prevents that, because it hides
// the bracket. No argument can contain a NUL. CLI11 wants the arguments in reverse order.
std::vector<std::string> protected_arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int at = argc - 1; at > 0; --at) {
    arguments.emplace_back(argv[at]);
    if (arguments.back().ends_with(']')) arguments.back() += '\0';
  }
  return arguments;
}

std::string unprotected(std::string argument) {
  if (argument.ends_with('\0')) argument.pop_back();
  return argument;
}

// Reads decimal digits. CLI11 would take 010 for the octal number 8.
std::string limit_of(const std::string& argument) {
  std::int64_t count = -1;
  const char* const end = argument.data() + argument.size();
  const auto [stop, error] = std::from_chars(argument.data(), end, count);
  if (stop != end || error != std::errc() || count < 0 || count > kMaxLimit) {
    throw CLI::ValidationError(fmt::format("Value {} not in range 0 to {}", argument, kMaxLimit));
  }
  return fmt::to_string(count);
}

/// Declares an argument that can be any text, or a vector of texts.
template <class Text>
CLI::Option* add_text(CLI::App* command, const std::string& name, Text& text,
                      const std::string& description) {
  return command->add_option(name, text, description)->transform(unprotected)->type_name("");
}

/// Runs the command that the user chose.
Exit run_command(int argc, char** argv) {
  CLI::App app("Shows what is in a cache file of ashmemo, and maintains it.", "ashmemo");
  app.set_version_flag("--version", "ashmemo " + std::string(version()), "print the version");
  app.set_help_flag("--help,-h", "print this help");
  app.get_formatter()->column_width(24);
  app.footer(kHelp);
  app.require_subcommand(0, 1);

  Arguments arguments;
  Exit exit = Exit::ok;
  const auto add = [&](const char* name, Exit (*perform)(const Arguments&), const char* description,
                       const char* help) {
    CLI::App* const command = app.add_subcommand(name, description);
    add_text(command, "FILE", arguments.file, "the cache file")->required();
    command->add_flag("--json", arguments.json, "print JSON for other programs");
    command->footer(help);
    command->callback([&exit, &arguments, perform] { exit = perform(arguments); });
    return command;
  };

  add("stats", stats, "how full the cache is, and how useful each calculation is", kStatsHelp);

  CLI::App* command = add("list", list, "the entries, one on each line", kListHelp);
  add_text(command, "--prefix", arguments.prefix, "only keys that begin with PREFIX")
      ->option_text("PREFIX");
  command->add_option("--sort", arguments.sort, "key (default), size, age, expiry, reads or cost")
      ->check(CLI::IsMember({"key", "size", "age", "expiry", "reads", "cost"}))
      ->option_text("ORDER");
  command->add_flag("--reverse", arguments.reverse, "reverse the order");
  command->add_option("--limit", arguments.limit, "at most N entries (default 50); 0: no limit")
      ->transform(limit_of)
      ->option_text("N");

  command = add("show", show, "one entry: its properties and its value", kShowHelp);
  add_text(command, "KEY", arguments.key, "the key of the entry")->required();
  command->add_flag("--raw", arguments.raw, "write the bytes of the value and nothing else")
      ->excludes("--json");

  add("check", check, "check the whole file for damage", kCheckHelp);

  command = add("backup", backup, "copy the cache to a new file", kBackupHelp);
  add_text(command, "TARGET", arguments.target, "the new file, which must not exist")->required();

  command = add("erase", erase, "remove entries by key or prefix", kEraseHelp);
  add_text(command, "KEY", arguments.keys, "the keys of the entries");
  add_text(command, "--prefix", arguments.prefix, "all keys that begin with PREFIX")
      ->option_text("PREFIX");

  add("clear", clear, "remove all entries", kClearHelp)
      ->add_flag("--yes", arguments.yes, "do not ask");

  add("compact", compact, "return the free space in the file to the system", kCompactHelp);

  try {
    app.parse(protected_arguments(argc, argv));
  } catch (const CLI::Success& help_or_version) {
    app.exit(help_or_version);  // prints it
    return Exit::ok;
  } catch (const CLI::ParseError& error) {
    throw CommandError(Exit::usage, fmt::format("{}; see 'ashmemo --help'", error.what()));
  }
  if (app.get_subcommands().empty()) {
    throw CommandError(Exit::usage, "a command is missing; see 'ashmemo --help'");
  }
  return exit;
}

Exit run(int argc, char** argv) {
  try {
    const Exit exit = run_command(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot write the output");
    }
    return exit;
  } catch (const CommandError& error) {
    complain(error.what());
    return error.exit();
  } catch (const Error& error) {
    complain(error.what());
    if (error.code() == ErrorCode::file_in_use) {
      complain(
          "close the application first; stats, list, show, check and backup work while it runs");
      return Exit::in_use;
    }
    if (error.code() == ErrorCode::invalid_key) return Exit::usage;
  } catch (const std::exception& error) {
    complain(error.what());
  }
  return Exit::failed;
}

}  // namespace
}  // namespace ashmemo::cli

int main(int argc, char** argv) { return static_cast<int>(ashmemo::cli::run(argc, argv)); }
