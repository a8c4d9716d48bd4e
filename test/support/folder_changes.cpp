#include "support/folder_changes.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include "support/temp_dir.hpp"

namespace ashmemo::test {
namespace {

namespace fs = std::filesystem;

void write_private_file(const std::string& path, const std::string& content) {
  write_file(path, content);
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace

FolderChanges::FileId FolderChanges::file_at(const std::string& path) {
  if (const auto found = now_.find(path); found != now_.end()) return found->second;
  FileId file;
  if (exists(path)) {
    file = files_.size();
    files_.push_back({path, {}});
  }
  return before_[path] = now_[path] = file;
}

void FolderChanges::add(Names change) {
  for (const auto& [path, file] : change) {
    (void)file_at(path);  // before the change
    now_[path] = file;
  }
  changes_.push_back(std::move(change));
}

void FolderChanges::create(const std::string& path) {
  files_.push_back({path, {}});
  add({{path, files_.size() - 1}});
}

void FolderChanges::rename(const std::string& from, const std::string& to) {
  const FileId file = file_at(from);
  add({{from, std::nullopt}, {to, file}});
  files_[*file].name = to;
}

void FolderChanges::remove(const std::string& path, std::string content) {
  const FileId file = file_at(path);
  add({{path, std::nullopt}});
  files_[*file] = {std::nullopt, std::move(content)};
}

void FolderChanges::sync(const std::string& folder) {
  const auto is_inside = [&](const auto& name) {
    return fs::path(name.first).parent_path() == folder;
  };
  std::erase_if(before_, is_inside);
  std::erase_if(now_, is_inside);
  std::erase_if(changes_, [&](const Names& change) { return is_inside(*change.begin()); });
}

void FolderChanges::cut(std::mt19937_64& random) const {
  // Some cuts keep all changes or none.
  const std::uint64_t share = random() % 5;  // out of 4
  std::vector<const Names*> kept;
  std::set<std::string> kept_names;
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
    const bool is_needed = std::any_of(change->begin(), change->end(), [&](const auto& name) {
      return kept_names.contains(name.first);
    });
    if (!is_needed && random() % 4 >= share) continue;
    for (const auto& [path, file] : *change) kept_names.insert(path);
    kept.push_back(&*change);
  }
  Names left = before_;
  for (auto change = kept.rbegin(); change != kept.rend(); ++change) {
    for (const auto& [path, file] : **change) left[path] = file;
  }
  std::vector<std::string> contents;
  for (const File& file : files_) {
    contents.push_back(file.name && exists(*file.name) ? read_file(*file.name) : file.content);
  }
  for (const auto& [path, file] : left) {
    if (file == now_.at(path)) continue;
    fs::remove(path);
    if (file) write_private_file(path, contents[*file]);
  }
}

}  // namespace ashmemo::test
