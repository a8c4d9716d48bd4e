#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/format.hpp"
#include "cli/open.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

// Commands that remove entries: erase, clear.

namespace ashmemo::cli {

const char* const kEraseHelp =
    R"(Ends with 4 if one of the keys is not there; the others are removed all the
same. The file must not be in use: beside an application, use sqlite3 (see
the README). What has expired is removed as well.

JSON: file, removed, and not_found: a list of keys.

Examples:
  ashmemo erase blog.cache.db Post:42:word_count theme
  ashmemo erase blog.cache.db --prefix Post:42:
  ashmemo erase blog.cache.db -- -a-key-like-an-option)";

const char* const kClearHelp =
    R"(The file must not be in use. Asks before it does so; where there is no
terminal to ask on, --yes is needed.

JSON: file, removed.

Examples:
  ashmemo clear blog.cache.db
  ashmemo clear blog.cache.db --yes)";

namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> not_among(const Cache& cache, const std::vector<std::string>& keys) {
  std::vector<std::string> missing;
  for (const std::string& key : keys) {
    if (!cache.entry(key)) missing.push_back(key);
  }
  return missing;
}

void print_removed(const Common& options, std::int64_t removed,
                   const std::vector<std::string>& missing) {
  if (options.json) {
    return write_json(Json{{"file", options.file}, {"removed", removed}, {"not_found", missing}});
  }
  print(fmt::format("removed {}\n", counted(removed, "entry", "entries")));
}

Exit erase_keys(const EraseOptions& options) {
  Change change(options.file);
  const std::vector<std::string> missing = not_among(change.cache(), options.keys);
  const std::int64_t before = change.cache().stats().entries;
  (void)change.cache().erase_many(options.keys);
  const std::int64_t removed = before - change.cache().stats().entries;
  change.finish();
  print_removed(options, removed, missing);
  for (const std::string& key : missing) {
    complain(fmt::format("'{}' has no entry '{}'", options.file, escaped(key)));
  }
  return missing.empty() ? Exit::ok : Exit::not_found;
}

Exit erase_prefix(const EraseOptions& options) {
  Change change(options.file);
  const std::size_t removed = change.cache().erase_prefix(options.prefix);
  change.finish();
  print_removed(options, static_cast<std::int64_t>(removed), {});
  return Exit::ok;
}

/// CommandError unless the user wants it. Asked before the file is opened for writing.
void require_consent(const ClearOptions& options) {
  if (options.yes) return;
  const std::int64_t entries = open_for_reading(options.file).stats().entries;
  const auto answer = confirmed(fmt::format("Remove all of {}, {}?", printable(options.file),
                                            counted(entries, "entry", "entries")));
  if (!answer) {
    throw CommandError(Exit::usage, "clear needs --yes where there is no terminal to ask on");
  }
  if (!*answer) throw CommandError(Exit::failed, "nothing was removed");
}

}  // namespace

Exit erase(const EraseOptions& options) {
  if (options.keys.empty() == options.prefix.empty()) {
    throw CommandError(Exit::usage,
                       "erase needs either keys or a --prefix, which must not be empty (to remove "
                       "all: clear)");
  }
  return options.prefix.empty() ? erase_keys(options) : erase_prefix(options);
}

Exit clear(const ClearOptions& options) {
  require_consent(options);
  Change change(options.file);
  const std::size_t removed = change.cache().clear();
  change.cache().compact();  // there is nothing left that the room could be kept for
  change.finish();
  print_removed(options, static_cast<std::int64_t>(removed), {});
  return Exit::ok;
}

}  // namespace ashmemo::cli
