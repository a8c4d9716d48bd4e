// A tour of ashmemo on real files: calculations on the text files below a directory, loaded several
// times. See ../README.md for what to look at. Of this project it prints, with other times each
// run, and with other figures, words and documents as the project changes:
//
// == begin
// directory   ~/ashmemo
// documents   739 of text, 2.4 MiB
// skipped     153 not text, 0 unreadable, 0 over 16.0 MiB
// cache file  ~/.cache/ashmemo-tour/tour.cache.db
//             a new file
//
// Four calculations on each document
// Word count, reading time, frequent words; and a signature: the smallest of each
// of 256 hashes over all runs of nine characters, which is the work.
//
// pass           documents       hits     misses   computed         ms   speed-up
// 1 first              739          0      2,956      2,956    1,436.4        1 x
// 2 again              739      2,956          0          0       14.3      100 x
// 3 reopened           739      2,956          0          0       15.3       94 x
// 4 one changed        740      2,956          4          4       16.9       85 x
//
// Computed again in pass 4: 1 document.
//   /tmp/ashmemo-tour-IlQKHs/run
// It is a copy of .ci/run, known to the cache until
// a line was added: then its modification time, and so its version, is another.
//
// Hits, misses and computed are values, four for each document. ms: the loads
// alone. Speed-up: over computing everything, as measured. The passes:
//   1  nothing is known: the files are read, all is computed and kept
//   2  the same page in the same process: one lookup, no file is read
//   3  the cache was closed and opened again, as when a program starts anew
//   4  the same page, and the changed copy
//
// What came out
// 269,177 words to read in 20 hours
//   const                is frequent in 444 documents
//   include              is frequent in 327 documents
//   return               is frequent in 194 documents
//   string               is frequent in 160 documents
//   ashmemo              is frequent in 156 documents
//
// Near-duplicates, found from the signatures alone
//  100 %  test/faults/main.cpp
//         test/crash/main.cpp
//
// The cache is an SQLite file. Ask it yourself:
// == end
//
// and then three questions to it, as commands for a shell, each with its answer.

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "../command_line.hpp"
#include "../printable.hpp"
#include "edited_copy.hpp"
#include "report.hpp"
#include "session.hpp"

namespace tour {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  fs::path directory;
  fs::path cache_file;
  bool json = false;
};

/// The nearest directory from here upwards that holds this project.
std::optional<fs::path> project_above(const fs::path& start) {
  for (fs::path at = start; at != at.parent_path(); at = at.parent_path()) {
    if (fs::exists(at / "include" / "ashmemo" / "ashmemo.hpp")) return at;
  }
  return std::nullopt;
}

/// The project's own tree, from wherever the tour is started; else the current directory.
fs::path default_directory() {
  if (const auto project = project_above(fs::current_path())) return *project;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (const auto project = project_above(program)) return *project;
  return fs::current_path();
}

/// The value of an environment variable; nothing if it is not set, or to nothing.
std::optional<fs::path> directory_in(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return fs::path(value);
}

/// In the user's own directory for caches, never among the documents.
fs::path default_cache_file() {
  std::optional<fs::path> caches = directory_in("XDG_CACHE_HOME");
  if (!caches) {
    const std::optional<fs::path> home = directory_in("HOME");
    if (!home)
      throw std::runtime_error("HOME is not set: say with --cache where the cache file is to lie");
    caches = *home / ".cache";
  }
  fs::create_directories(*caches / "ashmemo-tour");
  return fs::canonical(*caches / "ashmemo-tour") / "tour.cache.db";
}

/// The same path from the root on. A link at its end is left as it is: the cache refuses links.
fs::path absolute_file(const fs::path& file) {
  const fs::path absolute = fs::absolute(file);
  return fs::weakly_canonical(absolute.parent_path()) / absolute.filename();
}

Scene look_around(const Session& session, const Arguments& arguments) {
  Scene scene;
  scene.directory = arguments.directory;
  scene.cache_file = arguments.cache_file;
  scene.entries_before = session.entries();
  scene.listing = list_files(arguments.directory, arguments.cache_file);
  scene.selection = session.select_text(scene.listing.files);
  if (scene.selection.documents.empty()) {
    throw std::runtime_error("no text files in " + arguments.directory.string());
  }
  return scene;
}

Pass show_pass(Report& report, Session& session, const std::string& name,
               std::span<const Document> page, Results& results) {
  report.begin_pass(name, page.size());
  Pass pass = session.load(name, page, results);
  report.pass(pass);
  return pass;
}

/// Loads a copy of a document together with all others, after a line was added to the copy.
void show_change(Report& report, Session& session, std::vector<Document> page) {
  const EditedCopy copy(page.front());
  Results results;
  (void)session.load("copied", std::vector{copy.document()}, results);
  copy.add_line();
  page.push_back(copy.document());
  const Pass pass = show_pass(report, session, "one changed", page, results);
  report.computed_again(session.stored_since(pass.started, page));
  session.forget(copy.document());
}

void show(const Arguments& arguments) {
  Report report(arguments.json);
  Scene scene;
  Results results;
  {
    Session session(arguments.cache_file);
    scene = look_around(session, arguments);
    report.scene(scene);
    show_pass(report, session, "first", scene.selection.documents, results);
    show_pass(report, session, "again", scene.selection.documents, results);
  }
  {
    Session session(arguments.cache_file);
    show_pass(report, session, "reopened", scene.selection.documents, results);
    show_change(report, session, scene.selection.documents);
  }
  report.legend(scene);
  report.results(results);
  report.near_duplicates(scene, find_near_duplicates(results.signatures));
  if (!arguments.json) report.questions(ask(arguments.cache_file));
}

int run(int count, const char* const* words) {
  CLI::App app("Calculates on the text files of a directory, and shows what a cache is good for.",
               "tour");
  std::string directory;
  std::string cache_file;
  bool json = false;
  app.add_option("DIR", directory, "of text files (default: this project)")
      ->check(CLI::ExistingDirectory);
  app.add_option("--cache", cache_file, "the cache file (default: one below ~/.cache)");
  app.add_flag("--json", json, "the passes only, a JSON object a line");
  if (const auto status = example::parse(app, count, words)) return *status;
  try {
    show({.directory = fs::canonical(directory.empty() ? default_directory() : fs::path(directory)),
          .cache_file = cache_file.empty() ? default_cache_file() : absolute_file(cache_file),
          .json = json});
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "tour: {}\n", example::printable(error.what()));
    return EXIT_FAILURE;
  }
}

}  // namespace
}  // namespace tour

int main(int count, char** words) { return tour::run(count, words); }
