#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "store/open.hpp"

// Opening cache files as the engine does, for tests of what opening does to what lies at the path.

namespace ashmemo::test {

/// One file that was set aside, as the callback told it.
struct Quarantine {
  std::string file;
  std::string renamed_to;
  std::string why;
};

struct Opening {
  base::Result<std::unique_ptr<store::Store>> store = base::Failure{};
  std::vector<Quarantine> quarantine;
};

/// With a clock that stands still.
[[nodiscard]] store::OpenOptions options_for(const std::string& path);
[[nodiscard]] Opening open_with(store::OpenOptions options);
[[nodiscard]] Opening open_at(const std::string& path);
[[nodiscard]] Opening open_read_only(const std::string& path);

[[nodiscard]] std::string kind_name(base::FailureKind kind);
/// "open", or the name of the failure's kind.
[[nodiscard]] std::string outcome(const Opening& opening);
/// What another process is told.
[[nodiscard]] std::string outcome_in_child(const std::string& path);
/// What the failure says; empty if there is none.
[[nodiscard]] std::string words_of(const Opening& opening);

/// Puts one entry of 100 bytes; "committed", or what went wrong.
[[nodiscard]] std::string put(store::Store& store, const std::string& key);
/// A cache file with one entry, "old"; closed.
void make_cache(const std::string& path);

/// What a sqlite3 shell prints. Its failure ends the test.
std::string shell(const std::string& path, const std::string& sql);
/// Whether a sqlite3 shell finds the entry.
[[nodiscard]] bool has_key(const std::string& path, const std::string& key);

[[nodiscard]] int mode_of(const std::string& path);
/// Everything about the files below a directory that untouched ones keep, down to the nanosecond.
[[nodiscard]] std::map<std::string, std::string> facts_of(const std::string& directory);

}  // namespace ashmemo::test
