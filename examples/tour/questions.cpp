#include "questions.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include <cstdint>

namespace tour {
namespace {

std::int64_t id_of(const SQLite::Database& file, const std::string& calculation) {
  SQLite::Statement query(
      file, "SELECT id FROM cache_calculations WHERE name = ? AND NOT retired ORDER BY id DESC");
  query.bind(1, calculation);
  return query.executeStep() ? query.getColumn(0).getInt64() : 0;
}

// As sqlite3 prints by default: one line a row, with "|" between the columns.
std::vector<std::string> answer_of(const SQLite::Database& file, const std::string& sql) {
  SQLite::Statement query(file, sql);
  std::vector<std::string> lines;
  while (query.executeStep()) {
    std::string line;
    for (int i = 0; i < query.getColumnCount(); ++i) {
      if (i > 0) line += '|';
      line += query.getColumn(i).getString();
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

std::vector<Question> ask(const std::filesystem::path& cache_file) {
  // As the sqlite3 program does: one that may only read would leave SQLite's two other files
  // behind.
  const SQLite::Database file(cache_file.string(), SQLite::OPEN_READWRITE);
  // No text constants in them: they would need quotes within quotes.
  std::vector<Question> questions{
      {.asks = "What is kept of each calculation, how often did it answer, what did that save?",
       .command = "SELECT calculation_id, calculation, entries, hits, seconds_saved"
                  " FROM cache_by_calculation WHERE entries"},
      {.asks = fmt::format("Which documents have the most words? (word_count is calculation {})",
                           id_of(file, "word_count")),
       .command = fmt::format("SELECT value, record FROM cache_entries_readable"
                              " WHERE calculation_id = {} ORDER BY value DESC LIMIT 3",
                              id_of(file, "word_count"))},
      {.asks = fmt::format("Which words are frequent in most of them? (frequent_words is {})",
                           id_of(file, "frequent_words")),
       .command = fmt::format("SELECT key, count(*) FROM cache_entries AS e, json_each(e.value)"
                              " WHERE calculation_id = {} GROUP BY key ORDER BY 2 DESC, 1 LIMIT 5",
                              id_of(file, "frequent_words"))},
  };
  for (Question& question : questions) {
    question.answer = answer_of(file, question.command);
    question.command =
        fmt::format("sqlite3 {} '{}'", shell_quoted(cache_file.string()), question.command);
  }
  return questions;
}

std::string shell_quoted(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./+:,@%";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(text);
  std::string quoted = "'";
  for (const char c : text)
    quoted += c == '\'' ? std::string_view("'\\''") : std::string_view(&c, 1);
  return quoted + "'";
}

}  // namespace tour
