#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

// Output: messages, JSON, tables and progress.

namespace ashmemo::cli {

using Json = nlohmann::ordered_json;

/// Prints a message to standard error. Escapes it.
void complain(std::string_view message);

/// Prints JSON to standard output. Replaces bytes that are not UTF-8.
void print_json(const Json& json);

using Row = std::vector<std::string>;

/// Prints one line of two columns: the name and the text, which must be escaped.
void print_property(std::string_view name, std::string_view text);

/// Prints aligned columns: the first one on the left, the others on the right. The first row has
/// the titles. If a terminal is too narrow, long texts in the first column are shortened. All texts
/// must be escaped.
void print_table(const std::vector<Row>& rows);

/// While it exists, standard error shows that a long operation runs, if it is a terminal.
class Progress {
 public:
  explicit Progress(std::string_view operation);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  bool is_shown_;
};

}  // namespace ashmemo::cli
