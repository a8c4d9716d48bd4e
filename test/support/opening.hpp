#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/open.hpp"
#include "support/child.hpp"

// Opens cache files as the engine does, for tests of opening different kinds of files.

namespace ashmemo::test {

/// One quarantined file, as the callback reports it.
struct Quarantine {
  std::string file;
  std::string renamed_to;
  std::string why;
};

struct Opening {
  base::Result<std::unique_ptr<store::Store>> store = base::Failure{};
  std::vector<Quarantine> quarantine;
  std::vector<std::string> exposed;  // files that were reported as writable by others
};

/// Options with a manual clock.
[[nodiscard]] store::OpenOptions options_for(const std::string& path);
[[nodiscard]] Opening open_with(store::OpenOptions options);
[[nodiscard]] Opening open_at(const std::string& path);
/// Starts a process that opens the file and puts the entry "old". It then notifies, and keeps the
/// file open until it is notified or killed.
[[nodiscard]] Child process_that_holds(const std::string& path);
[[nodiscard]] Opening open_read_only(const std::string& path);
/// Opens a file that a running cache marked as corrupt and that looks healthy.
[[nodiscard]] Opening open_found_corrupt(const std::string& path);

[[nodiscard]] std::string kind_name(base::FailureKind kind);
/// "open", or the name of the failure's kind.
[[nodiscard]] std::string outcome(const Opening& opening);
/// The outcome of opening in another process.
[[nodiscard]] std::string outcome_in_child(const std::string& path);
/// The message of the failure, or an empty text.
[[nodiscard]] std::string message_of(const Opening& opening);

/// Puts one entry of 100 bytes. Returns "committed" or the message of the failure.
[[nodiscard]] std::string put(store::Store& store, const std::string& key);
/// Creates a cache file with one entry, "old", and closes it.
void make_cache(const std::string& path);
/// The same, but the process that erased "old" was killed. The main file still contains "old"; the
/// log contains its removal.
void make_cache_with_an_erase_in_the_log(const std::string& path);

/// Runs SQL in a sqlite3 shell and returns the output. Throws if the shell fails.
std::string shell(const std::string& path, const std::string& sql);
/// Whether a sqlite3 shell finds the entry.
[[nodiscard]] bool has_key(const std::string& path, const std::string& key);

[[nodiscard]] int mode_of(const std::string& path);
/// Inode, mode, size, modification time and content of each file in a directory. They differ if a
/// file was touched.
[[nodiscard]] std::map<std::string, std::string> facts_of(const std::string& directory);

}  // namespace ashmemo::test
