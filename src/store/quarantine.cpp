#include "store/quarantine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/platform.hpp"

namespace ashmemo::store {
namespace {

namespace fs = std::filesystem;
using base::FileType;

constexpr std::string_view kInfix = ".corrupt-";
constexpr std::string_view kWal = "-wal";

bool is_missing(const std::string& path) {
  const auto state = base::inspect(path);
  return state && state->type == FileType::missing;
}

// Two damages within a microsecond, or under a clock that stands still, need two names.
std::string free_name(const std::string& file, std::int64_t wall_now) {
  std::int64_t time = std::max<std::int64_t>(wall_now, 0);
  const auto name = [&] { return fmt::format("{}{}{}", file, kInfix, time); };
  constexpr int kTries = 1000;
  for (int tried = 0; tried < kTries; ++tried, ++time) {
    if (is_missing(name()) && is_missing(name() + std::string(kWal))) break;
  }
  return name();
}

bool is_all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// FILE.corrupt-DIGITS, or the WAL of one.
bool is_name_of_copy(std::string_view name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  if (name.ends_with(kWal)) name.remove_suffix(kWal.size());
  return is_all_digits(name);
}

std::vector<std::string> older_copies(const std::string& file, const std::string& newest) {
  const std::string prefix = fs::path(file).filename().string() + std::string(kInfix);
  std::vector<std::string> copies;
  std::error_code error;
  for (fs::directory_iterator it(fs::path(file).parent_path(), error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path().string();
    if (path == newest || path == newest + std::string(kWal)) continue;
    if (is_name_of_copy(it->path().filename().string(), prefix)) copies.push_back(path);
  }
  return copies;
}

// What cannot be removed stays: the new file matters more.
void remove_older_copies(const std::string& file, const std::string& newest) {
  for (const std::string& path : older_copies(file, newest)) {
    const auto state = base::inspect(path);
    if (!state || state->type != FileType::regular || !state->owned_by_us) continue;
    [[maybe_unused]] const auto removed = base::remove_file(path);
  }
}

// Somebody else's WAL beside the new file would be taken for its own: if it cannot be kept, it
// goes.
base::Status move_wal(const std::string& wal, const std::string& to) {
  if (is_missing(wal) || base::rename_file(wal, to)) return {};
  return base::remove_file(wal);
}

}  // namespace

base::Result<std::string> quarantine(const CachePaths& paths, std::int64_t wall_now) {
  const std::string name = free_name(paths.file, wall_now);
  // FILE first. Were it the WAL, and the process killed before FILE follows, then FILE would be
  // opened next time without its last commits: what was erased in them would be back.
  if (const auto moved = base::rename_file(paths.file, name); !moved) return moved.failure();
  if (const auto moved = move_wal(paths.wal, name + std::string(kWal)); !moved) {
    return moved.failure();
  }
  for (const std::string& path : {paths.shm, paths.journal}) {
    if (const auto removed = base::remove_file(path); !removed) return removed.failure();
  }
  remove_older_copies(paths.file, name);
  return name;
}

}  // namespace ashmemo::store
