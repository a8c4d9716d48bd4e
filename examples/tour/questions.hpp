#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tour {

/// A question about the cache file that the sqlite3 program can answer.
struct Question {
  std::string text;
  std::string command;                ///< a line for a shell
  std::vector<std::string> answer{};  ///< the lines that the command prints
};

/// Asks a closed cache file. Throws SQLite::Exception.
[[nodiscard]] std::vector<Question> ask(const std::filesystem::path& cache_file);

}  // namespace tour
