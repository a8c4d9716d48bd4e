// What makes an old result invisible: a record that changed, and a calculation whose code changed.
// One function plays the program; each call of it is a run of the program. Prints:
//
// == begin
// The program counts words (version 1)
//   first run:      words 4 2, 2 computed
//   second run:     words 4 2, 0 computed
// A record is edited: its record_version is another one
//   third run:      words 4 3, 1 computed
// It learns that a hyphen parts words (version 2): no old result answers
//   upgraded:       words 5 3, 2 computed
//   upgraded again: words 5 3, 0 computed
// Back to version 1: no new result answers, either
//   downgraded:     words 4 3, 2 computed
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "../arguments.hpp"
#include "../temporary_directory.hpp"

namespace {

struct Note {
  std::int64_t id = 0;
  std::int64_t revision = 1;  ///< another one after each edit
  std::string text;
};

std::int64_t count_words(const std::string& text) {
  std::istringstream words(text);
  std::int64_t count = 0;
  for (std::string word; words >> word;) ++count;
  return count;
}

std::int64_t count_words_and_parts(std::string text) {
  std::replace(text.begin(), text.end(), '-', ' ');
  return count_words(text);
}

/// A run of the program in its first or second version. It ends with closing the cache.
void run_program(std::string_view title, std::uint32_t version, const std::string& file,
                 const std::vector<Note>& page) {
  ashmemo::Cache cache(file);
  ashmemo::Registry registry(cache);
  auto& notes = registry.resource<Note>("Note", &Note::id);
  notes.record_version(&Note::revision);
  const auto words = notes.calculation("words",
                                       [version](const Note& note) {
                                         return version == 1 ? count_words(note.text)
                                                             : count_words_and_parts(note.text);
                                       },
                                       {.version = version});
  notes.cache_calculation("words", {});
  const std::vector<std::int64_t> counts = words(page);
  fmt::print("  {:<16}words {} {}, {} computed\n", title, counts[0], counts[1],
             cache.stats().computed);
}

void show_versions(const std::string& file) {
  std::vector<Note> page = {{1, 1, "a well-known old story"}, {2, 1, "the end"}};
  fmt::print("The program counts words (version 1)\n");
  run_program("first run:", 1, file, page);
  run_program("second run:", 1, file, page);

  fmt::print("A record is edited: its record_version is another one\n");
  page[1] = {2, 2, "the happy end"};
  run_program("third run:", 1, file, page);

  fmt::print("It learns that a hyphen parts words (version 2): no old result answers\n");
  run_program("upgraded:", 2, file, page);
  run_program("upgraded again:", 2, file, page);

  fmt::print("Back to version 1: no new result answers, either\n");
  run_program("downgraded:", 1, file, page);
}

}  // namespace

int main(int argc, char** argv) {
  const auto refused = example::refuse_arguments(
      argc, argv, "versions: results of records and of code that changed");
  if (refused) return *refused;
  try {
    const example::TemporaryDirectory directory;
    show_versions(directory.file("notes.cache.db"));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "versions: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
