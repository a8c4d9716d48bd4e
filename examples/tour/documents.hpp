#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tour {

/// A text file. The record contains no text: a calculation reads the file when it runs.
struct Document {
  std::string path;        ///< absolute
  std::int64_t size = 0;   ///< bytes
  std::int64_t mtime = 0;  ///< last modification, in nanoseconds since 1970 UTC
};

/// The files below a directory, in the order of their paths.
struct Listing {
  std::vector<Document> files;
  std::size_t too_large = 0;   ///< files over kMaxMiB
  std::size_t unreadable = 0;  ///< files and directories
};

inline constexpr std::int64_t kMaxMiB = 16;  ///< of one file

/// Lists the files below `directory`, which must exist, without opening them. Skips .git and build
/// directories, links, and the files of the cache, because only SQLite may open those. `cache_file`
/// is absolute.
[[nodiscard]] Listing list_files(const std::filesystem::path& directory,
                                 const std::filesystem::path& cache_file);

/// The record of one file. Throws std::filesystem::filesystem_error.
[[nodiscard]] Document describe(const std::filesystem::path& file);

/// The content of the file. Throws std::runtime_error with its path.
[[nodiscard]] std::string read_text(const Document& document);

}  // namespace tour
