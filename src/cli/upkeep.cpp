#include <fmt/format.h>

#include <ashmemo/error.hpp>
#include <cstdint>
#include <string>

#include "cli/commands.hpp"
#include "cli/format.hpp"
#include "cli/open.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

// Commands on the file as a whole: check, backup, compact.

namespace ashmemo::cli {

const char* const kCheckHelp =
    R"(Reads the whole file, also beside an application, and changes nothing. Ends
with 1 where there is damage. An application that meets it renames the file
and begins a new one: what a cache holds can be computed again.

JSON: file, ok, problems: what SQLite's integrity check says, or why the file
cannot even be opened.

Examples:
  ashmemo check blog.cache.db
  ashmemo check blog.cache.db --json | jq .ok)";

const char* const kBackupHelp =
    R"(Also beside an application. The copy is a cache file of its own, for its
owner only, with all that was written so far.

JSON: file, target, bytes.

Examples:
  ashmemo backup blog.cache.db copy.cache.db)";

const char* const kCompactHelp =
    R"(Removes what has expired or is of an older version, and gives the free room
in the file back to the system. Applications do the same by themselves, a
little at a time. Nothing that still answers is removed. The file must not be
in use.

JSON: file, entries, file_bytes_before, file_bytes.

Examples:
  ashmemo compact blog.cache.db)";

namespace {

using Json = nlohmann::ordered_json;

// A file that cannot even be opened for its damage has that for its only problem.
CheckReport checked(const std::string& file) {
  try {
    Cache cache = open_for_reading(file);
    const Progress progress("checking");
    return cache.check();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::damaged) throw;
    CheckReport report;
    report.ok = false;
    report.problems.emplace_back(error.what());
    return report;
  }
}

std::int64_t bytes_with_log(const std::string& file) {
  return bytes_of(file) + bytes_of(file + "-wal");
}

}  // namespace

Exit check(const Common& options) {
  const CheckReport report = checked(options.file);
  if (options.json) {
    write_json(Json{{"file", options.file}, {"ok", report.ok}, {"problems", report.problems}});
  } else if (report.ok) {
    print(printable(options.file) + ": ok\n");
  } else {
    print(printable(options.file) + " is damaged:\n");
    for (const std::string& problem : report.problems) print("  " + printable(problem) + '\n');
  }
  return report.ok ? Exit::ok : Exit::failed;
}

Exit backup(const BackupOptions& options) {
  Cache cache = open_for_reading(options.file);
  {
    const Progress progress("copying");
    cache.backup(options.target);
  }
  const std::int64_t bytes = bytes_of(options.target);
  if (options.json) {
    write_json(Json{{"file", options.file}, {"target", options.target}, {"bytes", bytes}});
  } else {
    print(fmt::format("copied {} to {}: {}\n", printable(options.file), printable(options.target),
                      bytes_text(bytes)));
  }
  return Exit::ok;
}

Exit compact(const Common& options) {
  const std::int64_t before = bytes_with_log(options.file);
  Change change(options.file);
  {
    const Progress progress("compacting");
    change.cache().compact();
  }
  const std::int64_t entries = change.cache().stats().entries;
  change.finish();
  const std::int64_t after = bytes_with_log(options.file);
  if (options.json) {
    write_json(Json{{"file", options.file},
                    {"entries", entries},
                    {"file_bytes_before", before},
                    {"file_bytes", after}});
  } else {
    print(fmt::format("{}: {} before, {} now, {}\n", printable(options.file), size_text(before),
                      size_text(after), counted(entries, "entry", "entries")));
  }
  return Exit::ok;
}

}  // namespace ashmemo::cli
