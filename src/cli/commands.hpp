#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

// The commands of the program. stats, list and show have a file each. upkeep.cpp has check, backup
// and compact. removal.cpp has erase and clear.

namespace ashmemo::cli {

/// The exit codes of the program, which --help lists.
enum class Exit : int {
  ok = 0,
  failed = 1,     // the command failed, or `check` found damage
  usage = 2,      // wrong arguments
  in_use = 3,     // an application has the file open
  not_found = 4,  // there is no such file or key
};

/// Ends a command: main() prints the message and returns the exit code.
class CommandError : public std::runtime_error {
 public:
  CommandError(Exit exit, const std::string& what) : std::runtime_error(what), exit_(exit) {}
  [[nodiscard]] Exit exit() const noexcept { return exit_; }

 private:
  Exit exit_;
};

/// The arguments of all commands.
struct Arguments {
  std::string file;
  bool json = false;
  std::string prefix;             // list, erase
  std::string sort = "key";       // list
  bool reverse = false;           // list
  std::int64_t limit = 50;        // list; 0: no limit
  std::string key;                // show
  bool raw = false;               // show
  std::string target;             // backup
  std::vector<std::string> keys;  // erase
  bool yes = false;               // clear
};

Exit stats(const Arguments& arguments);
Exit list(const Arguments& arguments);
Exit show(const Arguments& arguments);
Exit check(const Arguments& arguments);
Exit backup(const Arguments& arguments);
Exit erase(const Arguments& arguments);
Exit clear(const Arguments& arguments);
Exit compact(const Arguments& arguments);

/// What --help prints below the list of arguments.
extern const char* const kStatsHelp;
extern const char* const kListHelp;
extern const char* const kShowHelp;
extern const char* const kCheckHelp;
extern const char* const kBackupHelp;
extern const char* const kEraseHelp;
extern const char* const kClearHelp;
extern const char* const kCompactHelp;

}  // namespace ashmemo::cli
