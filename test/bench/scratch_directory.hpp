#pragma once

#include <filesystem>
#include <string>

namespace ashmemo::bench {

/// A new directory in the system's directory for temporary files. The destructor removes it with
/// its content. The environment variable TMPDIR chooses the disk that is measured.
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
