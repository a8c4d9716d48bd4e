#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace ashmemo::test {

/// The names that appeared and disappeared in folders since each folder was last synced. A power
/// cut keeps any of these changes. If it keeps a change, it also keeps all earlier changes of the
/// same names. A rename is kept as a whole or not at all. Call the functions just before each
/// change.
class FolderChanges {
 public:
  void create(const std::string& path);
  void rename(const std::string& from, const std::string& to);
  /// `content` returns if the removal is not kept.
  void remove(const std::string& path, std::string content);
  /// Makes all changes in the folder durable.
  void sync(const std::string& folder);

  /// Takes back changes, chosen with `random`, in the file system. Call it once, at the end.
  void cut(std::mt19937_64& random) const;

 private:
  /// A file that had one of the changed names. It is identified by its index in `files_`.
  struct File {
    std::optional<std::string> name;  // at present; nothing: it was removed
    std::string content;              // if it was removed
  };
  using FileId = std::optional<std::size_t>;  // nothing: no file has the name
  using Names = std::map<std::string, FileId>;

  FileId file_at(const std::string& path);
  void add(Names change);

  std::vector<File> files_;
  Names before_;  // when the folder was last synced; only changed names
  Names now_;
  std::vector<Names> changes_;
};

}  // namespace ashmemo::test
