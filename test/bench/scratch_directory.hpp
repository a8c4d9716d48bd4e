#pragma once

#include <filesystem>
#include <string>

namespace ashmemo::bench {

/// A fresh directory beside the system's other temporary files, removed with all that is in it.
/// TMPDIR chooses the disk that is measured.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  [[nodiscard]] std::string path() const { return path_.string(); }
  [[nodiscard]] std::string file(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace ashmemo::bench
