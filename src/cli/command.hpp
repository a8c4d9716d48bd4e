#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// What the commands have in common. Each one is a function that puts itself into the program: it
// declares its arguments and, where the user has chosen it, says what is to be done.

namespace ashmemo::cli {

/// How the program ends; --help tells of them.
enum class Exit : int {
  ok = 0,
  failed = 1,     // the command failed, or found damage
  usage = 2,      // the arguments cannot be
  in_use = 3,     // an application has the file
  not_found = 4,  // there is no such file or key
};

/// A command that cannot go on: what to say, and how the program ends.
class CommandError : public std::runtime_error {
 public:
  CommandError(Exit exit, const std::string& what) : std::runtime_error(what), exit_(exit) {}
  [[nodiscard]] Exit exit() const noexcept { return exit_; }

 private:
  Exit exit_;
};

/// What the user wants done.
using Action = std::function<Exit()>;

/// What all commands are told.
struct Common {
  std::string file;
  bool json = false;
};

/// What the program was called with, for CLI11. That takes [a,b] for a list of a and b where there
/// may be several: such texts are marked, by a NUL at their end, which no argument can have.
[[nodiscard]] std::vector<std::string> arguments_of(int argc, char** argv);
/// The text without that mark.
[[nodiscard]] std::string unmarked(std::string text);

/// Declares a command with its FILE and --json. `after` is what its help ends with: examples.
CLI::App& add_command(CLI::App& program, Common& common, const std::string& name,
                      const std::string& what_it_does, const std::string& after);

/// Declares an argument that is any text, or several. Use this for all of them: see `arguments_of`.
template <class Text>
CLI::Option* add_text(CLI::App& command, const std::string& name, Text& text,
                      const std::string& what_it_is) {
  return command.add_option(name, text, what_it_is)->transform(unmarked)->type_name("");
}

void add_stats(CLI::App& program, Action& chosen);
void add_list(CLI::App& program, Action& chosen);
void add_show(CLI::App& program, Action& chosen);
void add_check(CLI::App& program, Action& chosen);
void add_backup(CLI::App& program, Action& chosen);
void add_erase(CLI::App& program, Action& chosen);
void add_clear(CLI::App& program, Action& chosen);
void add_compact(CLI::App& program, Action& chosen);

/// To standard output. Bytes of text that are no UTF-8 are replaced.
void write_json(const nlohmann::ordered_json& json);
void print(std::string_view text);
/// A line to standard error.
void complain(std::string_view what);

}  // namespace ashmemo::cli
