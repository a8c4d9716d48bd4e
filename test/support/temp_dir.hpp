#pragma once

#include <string>
#include <string_view>

namespace ashmemo::test {

/// A fresh, empty directory for one test. Removed at the end, unless the test has failed by then:
/// then it is kept and its name is printed, so that somebody can look at the files.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  /// The directory itself: absolute, without symbolic links.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// The path of a file in it; nothing is created.
  [[nodiscard]] std::string path(std::string_view name) const;

  /// Lets every user read and write here: for children that drop their privileges.
  void open_to_all() const;

 private:
  std::string path_;
};

/// Files as tests need them: whole, at once. They abort the test when the system refuses.
void write_file(const std::string& path, std::string_view content);
[[nodiscard]] std::string read_file(const std::string& path);
[[nodiscard]] bool exists(const std::string& path);  // a dangling link exists, too

}  // namespace ashmemo::test
