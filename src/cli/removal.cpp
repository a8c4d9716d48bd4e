// The commands that remove entries: erase and clear.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <iostream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "cli/cache_file.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {

const char* const kEraseHelp =
    R"(If a key does not exist, the exit code is 4. The other keys are removed all the
same. Expired entries are removed, too. No application may have the file open.
While one has, use sqlite3 (see examples/guides).

JSON: file, removed, and not_found, a list of keys.

Examples:
  ashmemo erase blog.cache.db Post:42:word_count theme
  ashmemo erase blog.cache.db --prefix Post:42:
  ashmemo erase blog.cache.db -- -a-key-like-an-option)";

const char* const kClearHelp =
    R"(Asks for confirmation. If there is no terminal to ask on, --yes is required. No
application may have the file open.

JSON: file, removed.

Examples:
  ashmemo clear blog.cache.db
  ashmemo clear blog.cache.db --yes)";

namespace {

void print_removed(std::int64_t removed) {
  fmt::print("removed {}\n", counted(removed, "entry", "entries"));
}

/// Throws unless the user agrees to remove all entries.
void require_consent(const Arguments& arguments) {
  if (arguments.yes) return;
  const std::int64_t entries = open_for_reading(arguments.file).stats().entries;
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) {
    throw CommandError(Exit::usage, "clear needs --yes if there is no terminal to ask on");
  }
  fmt::print(stderr, "Remove all of {}, {}? [y/N] ", escaped(arguments.file),
             counted(entries, "entry", "entries"));
  std::string answer;
  std::getline(std::cin, answer);
  if (answer != "y" && answer != "Y" && answer != "yes") {
    throw CommandError(Exit::failed, "nothing was removed");
  }
}

}  // namespace

Exit erase(const Arguments& arguments) {
  if (arguments.keys.empty() == arguments.prefix.empty()) {
    throw CommandError(Exit::usage,
                       "erase needs either keys or a --prefix that is not empty; 'ashmemo clear' "
                       "removes all entries");
  }
  std::int64_t removed = 0;
  std::vector<std::string> missing;
  change_file(arguments.file, [&](Cache& cache) {
    if (!arguments.prefix.empty()) {
      removed = static_cast<std::int64_t>(cache.erase_prefix(arguments.prefix));
      return;
    }
    const std::set<std::string> keys(arguments.keys.begin(), arguments.keys.end());
    for (const std::string& key : keys) {
      if (!cache.entry(key)) missing.push_back(key);
    }
    removed = std::ssize(keys) - std::ssize(missing);
    cache.erase_many(keys);
  });
  if (arguments.json) {
    print_json({{"file", arguments.file}, {"removed", removed}, {"not_found", missing}});
  } else {
    print_removed(removed);
  }
  for (const std::string& key : missing) {
    complain(
        fmt::format("'{}' has no entry '{}'; 'ashmemo list' shows its keys", arguments.file, key));
  }
  return missing.empty() ? Exit::ok : Exit::not_found;
}

Exit clear(const Arguments& arguments) {
  require_consent(arguments);
  std::int64_t removed = 0;
  change_file(arguments.file, [&removed](Cache& cache) {
    removed = static_cast<std::int64_t>(cache.clear());
    cache.compact();  // an empty cache needs no free space
  });
  if (arguments.json) {
    print_json({{"file", arguments.file}, {"removed", removed}});
  } else {
    print_removed(removed);
  }
  return Exit::ok;
}

}  // namespace ashmemo::cli
