#include "store/quarantine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
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

// Two quarantines within a microsecond, or with a clock that does not advance, need different
// names.
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
  const fs::path folder = fs::path(file).parent_path();
  const std::string prefix = fs::path(file).filename().string() + std::string(kInfix);
  std::vector<std::string> copies;
  const auto names = base::names_in(folder.string());
  if (!names) return copies;
  for (const std::string& name : *names) {
    const std::string path = (folder / name).string();
    if (path == newest || path == newest + std::string(kWal)) continue;
    if (is_name_of_copy(name, prefix)) copies.push_back(path);
  }
  return copies;
}

// A foreign WAL beside the new file would be taken for its own. If it cannot be renamed, it is
// removed.
base::Status move_wal(const std::string& wal, const std::string& to) {
  if (is_missing(wal) || base::rename_file(wal, to)) return {};
  return base::remove_file(wal);
}

}  // namespace

base::Status quarantine(const CachePaths& paths, std::int64_t wall_now, std::string* renamed_to) {
  const std::string name = free_name(paths.file, wall_now);
  // Renames FILE first. If the WAL came first and the process was killed in between, the next
  // opening would use FILE without its last commits, and erased entries would return. A power cut
  // could also keep only the second renaming, unless the first is synced.
  if (auto moved = base::rename_file(paths.file, name); !moved) return moved;
  *renamed_to = name;
  base::sync_folder_of(paths.file);
  if (auto moved = move_wal(paths.wal, name + std::string(kWal)); !moved) {
    if (base::rename_file(name, paths.file)) renamed_to->clear();
    return moved;
  }
  for (const std::string& path : {paths.shm, paths.journal}) {
    if (auto removed = base::remove_file(path); !removed) return removed;
  }
  return {};
}

base::Status restore(const CachePaths& paths, const std::string& renamed_to) {
  for (const std::string& path : {paths.shm, paths.journal, paths.file}) {
    if (auto removed = base::remove_file(path); !removed) return removed;
  }
  // Renames the WAL first, for the same reason. A WAL without its file is removed at the next
  // opening.
  const std::string wal = renamed_to + std::string(kWal);
  if (!is_missing(wal)) {
    if (auto moved = base::rename_file(wal, paths.wal); !moved) return moved;
    base::sync_folder_of(paths.file);
  }
  return base::rename_file(renamed_to, paths.file);
}

// Ignores files that cannot be removed, because the new file is more important.
void keep_one_copy(const std::string& file, const std::string& newest, bool prefers_older) {
  std::vector<std::string> removed = older_copies(file, newest);
  if (prefers_older && !removed.empty()) removed = {newest, newest + std::string(kWal)};
  for (const std::string& path : removed) {
    const auto state = base::inspect(path);
    if (!state || state->type != FileType::regular || !state->owned_by_us) continue;
    [[maybe_unused]] const auto done = base::remove_file(path);
  }
}

}  // namespace ashmemo::store
