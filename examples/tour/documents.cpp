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

bool belongs_to_cache(const fs::path& file, const fs::path& cache_file) {
  std::string_view name = file.native();
  if (!name.starts_with(cache_file.native())) return false;
  name.remove_prefix(cache_file.native().size());
  return name.empty() || name == "-wal" || name == "-shm" || name == "-lock" ||
         name.starts_with(".corrupt-");
}

void add_file(const fs::path& file, Listing& listing) try {
  Document document = describe(file);
  if (document.size > kMaxMiB << 20) {
    ++listing.too_large;
  } else if (::access(file.c_str(), R_OK) != 0) {
    ++listing.unreadable;
  } else {
    listing.files.push_back(std::move(document));
  }
} catch (const fs::filesystem_error&) {
  ++listing.unreadable;
}

void add_directory(const fs::path& directory, const fs::path& cache_file, Listing& listing) {
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    const fs::file_type type = at->symlink_status(unknown).type();
    if (type == fs::file_type::directory && !is_build_directory(at->path())) {
      add_directory(at->path(), cache_file, listing);
    } else if (type == fs::file_type::regular && !belongs_to_cache(at->path(), cache_file)) {
      add_file(at->path(), listing);
    }
  }
  if (error) ++listing.unreadable;
}

}  // namespace

Listing list_files(const fs::path& directory, const fs::path& cache_file) {
  Listing listing;
  add_directory(fs::canonical(directory), cache_file, listing);
  std::sort(listing.files.begin(), listing.files.end(),
            [](const Document& a, const Document& b) { return a.path < b.path; });
  return listing;
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
  if (!file && !file.eof()) throw std::runtime_error("cannot read " + document.path);
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace tour
