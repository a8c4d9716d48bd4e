#include "fuzz/scratch.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "fuzz/require.hpp"

namespace ashmemo::fuzz {
namespace {

namespace fs = std::filesystem;

std::string make_directory() {
  std::string name = (fs::canonical(fs::temp_directory_path()) / "ashmemo-fuzz-XXXXXX").string();
  require(::mkdtemp(name.data()) != nullptr, "a temporary directory can be created");
  return name;
}

// The destructor runs only at a normal exit. After a crash, checks.sh removes the directory.
struct Directory {
  const std::string path = make_directory();
  Directory() = default;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

}  // namespace

const std::string& scratch_directory() {
  static const Directory directory;
  return directory.path;
}

std::string cache_path() { return scratch_directory() + "/cache.db"; }

void clean_scratch() {
  const std::string kept = cache_path() + "-lock";
  for (const auto& item : fs::directory_iterator(scratch_directory())) {
    if (item.path() != kept) fs::remove(item.path());
  }
}

void write_file(const std::string& path, std::string_view content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  require(static_cast<bool>(out), "a file can be written");
  require(::chmod(path.c_str(), S_IRUSR | S_IWUSR) == 0, "the permissions of a file can be set");
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream content;
  content << in.rdbuf();
  return content.str();
}

}  // namespace ashmemo::fuzz
