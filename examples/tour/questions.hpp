#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tour {

/// Something that can be asked of the cache file with the sqlite3 program, and the answer.
struct Question {
  std::string asks;                   ///< in plain words
  std::string command;                ///< a line for a shell
  std::vector<std::string> answer{};  ///< the lines that sqlite3 prints for it
};

/// Asks a closed cache file. Errors: SQLite::Exception.
[[nodiscard]] std::vector<Question> ask(const std::filesystem::path& cache_file);

/// A word of a shell's command line that stands for exactly this text.
[[nodiscard]] std::string shell_quoted(std::string_view text);

}  // namespace tour
