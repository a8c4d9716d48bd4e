#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

// What the commands have in common: how they end, and how they say something.

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

/// To standard output. Bytes of text that are no UTF-8 are replaced.
void write_json(const nlohmann::ordered_json& json);
void print(std::string_view text);
/// A line to standard error.
void complain(std::string_view what);

}  // namespace ashmemo::cli
