// The commands for the file as a whole: check, backup and compact.

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "cli/cache_file.hpp"
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {

const char* const kCheckHelp =
    R"(Reads the whole file and changes nothing. Works while an application has the
file open. If there is damage, the exit code is 1. An application that meets
damage renames the file and creates a new one. Nothing is lost for good,
because the application can compute the results again.

JSON: file, ok, problems (a list of the damage that SQLite's integrity check
finds, or of the reason why the file cannot be opened), and damaged_entries
(the keys of entries that do not match their checksums, at most 100).

Examples:
  ashmemo check blog.cache.db
  ashmemo check blog.cache.db --json | jq .ok)";

const char* const kBackupHelp =
    R"(Works while an application has the file open. The copy is a cache file. It has
everything that was written to the file so far. Only its owner may read it.

JSON: file, target, bytes.

Examples:
  ashmemo backup blog.cache.db copy.cache.db)";

const char* const kCompactHelp =
    R"(Removes entries that expired or were computed by an older version, and returns
the free space in the file to the system. Applications do the same, a little
at a time. Entries that can still be read are kept. No application may have
the file open.

JSON: file, entries, file_bytes_before, file_bytes.

Examples:
  ashmemo compact blog.cache.db)";

namespace {

std::int64_t bytes_with_log(const std::string& file) {
  return bytes_of(file) + bytes_of(file + "-wal");
}

}  // namespace

Exit check(const Arguments& arguments) {
  const CheckReport report = check_file(arguments.file);
  if (arguments.json) {
    print_json({{"file", arguments.file},
                {"ok", report.ok},
                {"problems", report.problems},
                {"damaged_entries", report.damaged_entries}});
  } else {
    fmt::print("{}{}\n", escaped(arguments.file), report.ok ? ": ok" : " is damaged:");
    for (const std::string& problem : report.problems) fmt::print("  {}\n", escaped(problem));
    for (const std::string& key : report.damaged_entries) {
      fmt::print("  the entry '{}' does not match its checksum; its application removes it\n",
                 escaped(key));
    }
  }
  return report.ok ? Exit::ok : Exit::failed;
}

Exit backup(const Arguments& arguments) {
  {
    Cache cache = open_for_reading(arguments.file);
    const Progress progress("copying");
    cache.backup(arguments.target);
  }
  const std::int64_t bytes = bytes_of(arguments.target);
  if (arguments.json) {
    print_json({{"file", arguments.file}, {"target", arguments.target}, {"bytes", bytes}});
  } else {
    fmt::print("copied {} to {}: {}\n", escaped(arguments.file), escaped(arguments.target),
               bytes_text(bytes));
  }
  return Exit::ok;
}

Exit compact(const Arguments& arguments) {
  const std::int64_t before = bytes_with_log(arguments.file);
  std::int64_t entries = 0;
  change_file(arguments.file, [&entries](Cache& cache) {
    const Progress progress("compacting");
    cache.compact();
    entries = cache.stats().entries;
  });
  const std::int64_t after = bytes_with_log(arguments.file);
  if (arguments.json) {
    print_json({{"file", arguments.file},
                {"entries", entries},
                {"file_bytes_before", before},
                {"file_bytes", after}});
  } else {
    fmt::print("{}: {} before, {} now, {}\n", escaped(arguments.file), size_text(before),
               size_text(after), counted(entries, "entry", "entries"));
  }
  return Exit::ok;
}

}  // namespace ashmemo::cli
