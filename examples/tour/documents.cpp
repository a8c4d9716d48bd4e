#include "documents.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace tour {
namespace {

namespace fs = std::filesystem;

bool is_build_directory(const fs::path& directory) {
  const fs::path name = directory.filename();
  std::error_code ignored;
  return name == ".git" || name == ".build" || name == "build" ||
         fs::exists(directory / "build.ninja", ignored) ||
         fs::exists(directory / "CMakeCache.txt", ignored);
}

/// One walk through a directory and those below it.
class Walk {
 public:
  explicit Walk(fs::path cache_file) : cache_file_(std::move(cache_file)) {}

  void list(const fs::path& directory) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end;
         at.increment(error)) {
      take(at->path());
    }
    if (error) ++listing_.unreadable;
  }

  Listing finish() {
    std::sort(listing_.files.begin(), listing_.files.end(),
              [](const Document& a, const Document& b) { return a.path < b.path; });
    return std::move(listing_);
  }

 private:
  void take(const fs::path& path) {
    std::error_code error;
    switch (fs::symlink_status(path, error).type()) {
      case fs::file_type::directory:
        if (!is_build_directory(path)) list(path);
        break;
      case fs::file_type::regular:
        if (!belongs_to_cache(path)) take_file(path);
        break;
      default:
        break;
    }
  }

  void take_file(const fs::path& path) try {
    Document document = describe(path);
    if (document.size > kMaxBytes) {
      ++listing_.too_large;
    } else if (::access(path.c_str(), R_OK) != 0) {
      ++listing_.unreadable;
    } else {
      listing_.files.push_back(std::move(document));
    }
  } catch (const fs::filesystem_error&) {
    ++listing_.unreadable;
  }

  [[nodiscard]] bool belongs_to_cache(const fs::path& path) const {
    std::string_view name = path.native();
    if (!name.starts_with(cache_file_.native())) return false;
    name.remove_prefix(cache_file_.native().size());
    return name.empty() || name == "-wal" || name == "-shm" || name == "-lock" ||
           name.starts_with(".corrupt-");
  }

  fs::path cache_file_;
  Listing listing_;
};

}  // namespace

Listing list_files(const fs::path& directory, const fs::path& cache_file) {
  Walk walk(cache_file);
  walk.list(fs::canonical(directory));
  return walk.finish();
}

Document describe(const fs::path& file) {
  const auto changed = std::chrono::file_clock::to_sys(fs::last_write_time(file));
  return {
      .path = file.string(),
      .size = static_cast<std::int64_t>(fs::file_size(file)),
      .mtime =
          std::chrono::duration_cast<std::chrono::nanoseconds>(changed.time_since_epoch()).count(),
  };
}

std::string read_text(const Document& document) {
  std::ifstream file(document.path, std::ios::binary);
  std::string text(static_cast<std::size_t>(document.size), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!file && !file.eof()) {
    throw std::runtime_error("cannot read " + document.path + ": start the tour again without it");
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace tour
