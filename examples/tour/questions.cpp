#include "questions.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include <cstdint>
#include <string_view>
#include <utility>

namespace tour {
namespace {

std::int64_t id_of(const SQLite::Database& file, const std::string& calculation) {
  SQLite::Statement query(
      file, "SELECT id FROM cache_calculations WHERE name = ? AND NOT retired ORDER BY id DESC");
  query.bind(1, calculation);
  return query.executeStep() ? query.getColumn(0).getInt64() : 0;
}

/// The output of sqlite3: a line for each row, with "|" between the columns.
std::vector<std::string> answer_of(const SQLite::Database& file, const std::string& sql) {
  SQLite::Statement query(file, sql);
  std::vector<std::string> lines;
  while (query.executeStep()) {
    std::string line;
    for (int i = 0; i < query.getColumnCount(); ++i) {
      line += (i > 0 ? "|" : "") + query.getColumn(i).getString();
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

/// The text as one word of a shell command, with quotes if necessary.
std::string shell_quoted(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+:,@%";
  if (text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

}  // namespace

std::vector<Question> ask(const std::filesystem::path& cache_file) {
  // As the sqlite3 program opens it. A connection that can only read would not delete the two other
  // files of SQLite when it closes.
  const SQLite::Database file(cache_file.string(), SQLite::OPEN_READWRITE);
  const std::int64_t word_count = id_of(file, "word_count");
  const std::int64_t frequent_words = id_of(file, "frequent_words");
  // The queries contain no text constants, because these need quotes within quotes in a shell.
  std::vector<Question> questions{
      {"How many results has each calculation? How often did they answer?",
       "SELECT calculation_id, calculation, entries, hits, seconds_saved"
       " FROM cache_by_calculation WHERE entries"},
      {fmt::format("Which documents have the most words? (word_count has the id {})", word_count),
       fmt::format("SELECT value, record FROM cache_entries_readable"
                   " WHERE calculation_id = {} ORDER BY value DESC LIMIT 3",
                   word_count)},
      {fmt::format("Which words are frequent in most documents? (frequent_words has the id {})",
                   frequent_words),
       fmt::format("SELECT key, count(*) FROM cache_entries AS e, json_each(e.value)"
                   " WHERE calculation_id = {} GROUP BY key ORDER BY 2 DESC, 1 LIMIT 5",
                   frequent_words)},
  };
  for (Question& question : questions) {
    question.answer = answer_of(file, question.command);
    question.command =
        fmt::format("sqlite3 {} '{}'", shell_quoted(cache_file.string()), question.command);
  }
  return questions;
}

}  // namespace tour
