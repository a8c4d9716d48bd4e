#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/command.hpp"

// The commands: what each is told, what its help ends with, and what it does.

namespace ashmemo::cli {

/// What all commands are told.
struct Common {
  std::string file;
  bool json = false;
};

extern const char* const kStatsHelp;
Exit stats(const Common& options);

struct ListOptions : Common {
  std::string prefix;
  std::string sort = "key";
  bool reverse = false;
  std::int64_t limit = 50;
};
extern const char* const kListHelp;
Exit list(const ListOptions& options);

struct ShowOptions : Common {
  std::string key;
  bool raw = false;
};
extern const char* const kShowHelp;
Exit show(const ShowOptions& options);

extern const char* const kCheckHelp;
Exit check(const Common& options);

struct BackupOptions : Common {
  std::string target;
};
extern const char* const kBackupHelp;
Exit backup(const BackupOptions& options);

struct EraseOptions : Common {
  std::vector<std::string> keys;
  std::string prefix;
};
extern const char* const kEraseHelp;
Exit erase(const EraseOptions& options);

struct ClearOptions : Common {
  bool yes = false;
};
extern const char* const kClearHelp;
Exit clear(const ClearOptions& options);

extern const char* const kCompactHelp;
Exit compact(const Common& options);

}  // namespace ashmemo::cli
