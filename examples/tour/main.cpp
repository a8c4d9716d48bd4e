// A tour of ashmemo on real files: calculations on the text files below a directory, loaded several
// times. See ../README.md for what to look at.

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

#include "edited_copy.hpp"
#include "report.hpp"
#include "session.hpp"

namespace tour {
namespace {

namespace fs = std::filesystem;

constexpr int kExitUsage = 2;

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

Arguments parse(CLI::App& app, int count, const char* const* words) {
  std::string directory;
  std::string cache_file;
  Arguments arguments;
  app.add_option("DIR", directory, "directory of text files (default: this project's own)")
      ->check(CLI::ExistingDirectory);
  app.add_option("--cache", cache_file,
                 "the cache file (default: ashmemo-tour/tour.cache.db in ~/.cache)");
  app.add_flag("--json", arguments.json, "print the passes only, one JSON object a line");
  app.parse(count, words);
  arguments.directory =
      fs::canonical(directory.empty() ? default_directory() : fs::path(directory));
  arguments.cache_file = cache_file.empty() ? default_cache_file() : absolute_file(cache_file);
  return arguments;
}

int run(int count, const char* const* words) {
  CLI::App app("Calculates on the text files of a directory, and shows what a cache is good for.");
  try {
    show(parse(app, count, words));
    return EXIT_SUCCESS;
  } catch (const CLI::Error& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;  // 0: --help
  } catch (const std::exception& error) {
    fmt::print(stderr, "tour: {}\n", error.what());
    return EXIT_FAILURE;
  }
}

}  // namespace
}  // namespace tour

int main(int count, char** words) { return tour::run(count, words); }
