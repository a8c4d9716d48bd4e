#pragma once

#include <string>
#include <string_view>

namespace ashmemo::test {

/// A new, empty directory for one test. The destructor removes it. If the test has failed, it keeps
/// the directory and prints its name, so that the files can be examined.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  /// The absolute path of the directory, without symbolic links.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// The path of a file in the directory. Does not create the file.
  [[nodiscard]] std::string path(std::string_view name) const;

  /// Lets every user read and write in the directory, for children that drop their privileges.
  void open_to_all() const;

 private:
  std::string path_;
};

/// Write or read a whole file. They throw if the system refuses.
void write_file(const std::string& path, std::string_view content);
[[nodiscard]] std::string read_file(const std::string& path);
[[nodiscard]] bool exists(const std::string& path);  // also true for a dangling link

}  // namespace ashmemo::test
