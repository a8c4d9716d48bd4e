#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tour {

/// A file of text, as light as a record can be: the calculations read what is in it, when they run.
struct Document {
  std::string path;        ///< absolute
  std::int64_t size = 0;   ///< bytes
  std::int64_t mtime = 0;  ///< last modification, in nanoseconds since 1970 UTC
};

/// The files below a directory, in the order of their paths. Nothing in them was read.
struct Listing {
  std::vector<Document> files;
  std::size_t too_large = 0;   ///< over kMaxBytes
  std::size_t unreadable = 0;  ///< directories too
};

inline constexpr std::int64_t kMaxBytes = 16 << 20;

/// Lists `directory`, which must exist. Leaves out .git and build directories, whatever is not a
/// plain file (links are not followed), and the cache's own files: only SQLite may open those.
/// `cache_file` is absolute.
[[nodiscard]] Listing list_files(const std::filesystem::path& directory,
                                 const std::filesystem::path& cache_file);

/// The record of one file, as it is now. Errors: std::filesystem::filesystem_error.
[[nodiscard]] Document describe(const std::filesystem::path& file);

/// What is in the file. Errors: std::runtime_error that names it.
[[nodiscard]] std::string read_text(const Document& document);

}  // namespace tour
