// A tour of ashmemo on real files: calculations on the text files below a directory, loaded several
// times. `./examples/run` builds and runs it; ../README.md says what to look at.
//
//     tour [DIR] [--cache FILE] [--json]

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
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

/// The nearest directory upwards from `start` that contains this project.
std::optional<fs::path> project_above(const fs::path& start) {
  for (fs::path at = start; at != at.parent_path(); at = at.parent_path()) {
    if (fs::exists(at / "include" / "ashmemo" / "ashmemo.hpp")) return at;
  }
  return std::nullopt;
}

/// This project, wherever the tour is started. The current directory if the project is not found.
fs::path default_directory() {
  if (const auto project = project_above(fs::current_path())) return *project;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return project_above(program).value_or(fs::current_path());
}

/// The value of an environment variable, unless it is not set or empty.
std::optional<fs::path> directory_in(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return fs::path(value);
}

/// In the user's directory for caches.
fs::path default_cache_file() {
  std::optional<fs::path> caches = directory_in("XDG_CACHE_HOME");
  if (!caches) {
    const std::optional<fs::path> home = directory_in("HOME");
    if (!home) throw std::runtime_error("HOME is not set; name a cache file with --cache");
    caches = *home / ".cache";
  }
  fs::create_directories(*caches / "ashmemo-tour");
  return fs::canonical(*caches / "ashmemo-tour") / "tour.cache.db";
}

/// The absolute path. If the file itself is a link, it remains one, because the cache refuses
/// links.
fs::path absolute_file(const fs::path& file) {
  const fs::path absolute = fs::absolute(file);
  return fs::weakly_canonical(absolute.parent_path()) / absolute.filename();
}

std::int64_t wall_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

Scene make_scene(const Session& session, const Arguments& arguments) {
  Scene scene{arguments.directory, arguments.cache_file, session.entries(), {}, {}};
  scene.listing = list_files(arguments.directory, arguments.cache_file);
  scene.selection = session.select_text(scene.listing.files);
  if (scene.selection.documents.empty()) {
    throw std::runtime_error("no text files in " + arguments.directory.string());
  }
  return scene;
}

class Tour {
 public:
  explicit Tour(const Arguments& arguments) : arguments_(arguments) {}

  void run() {
    {
      Session session(arguments_.cache_file);
      scene_ = make_scene(session, arguments_);
      if (!arguments_.json) print_scene(scene_);
      load(session, "first", scene_.selection.documents);
      load(session, "again", scene_.selection.documents);
    }
    {
      Session session(arguments_.cache_file);
      load(session, "reopened", scene_.selection.documents);
      load_with_change(session);
    }
    if (arguments_.json) return;
    print_explanation(scene_, passes_.front(), computed_again_);
    print_results(scene_, passes_.front().results);
    print_questions(ask(arguments_.cache_file));
  }

 private:
  void load(Session& session, const std::string& name, std::span<const Document> page) {
    passes_.push_back(session.load(name, page));
    if (arguments_.json) {
      print_json(passes_.size(), passes_.back());
    } else {
      print_row(passes_.size(), passes_.back(), passes_.front());
    }
    std::fflush(stdout);  // the next pass can take some time
  }
  /// Loads the page together with a copy of its first document, after a change of the copy. The
  /// copy is in a temporary directory, so the user's files do not change.
  void load_with_change(Session& session) {
    std::vector<Document> page = scene_.selection.documents;
    const example::TemporaryDirectory directory;
    const fs::path original = page.front().path;
    const fs::path copy = fs::canonical(directory.path()) / original.filename();
    fs::copy_file(original, copy);
    fs::permissions(copy, fs::perms::owner_write, fs::perm_options::add);
    const auto time = fs::last_write_time(copy);
    (void)session.load("copied", std::vector{describe(copy)});

    std::ofstream(copy, std::ios::app) << "\nOne more line.\n";
    // The clock of a file system can be slow: two changes can have the same time.
    fs::last_write_time(copy, time + std::chrono::seconds(1));
    page.push_back(describe(copy));
    const std::int64_t start = wall_now();
    load(session, "one changed", page);
    computed_again_ = session.stored_since(start, page);
    session.invalidate(page.back());
  }

  Arguments arguments_;
  Scene scene_;
  std::vector<Pass> passes_;
  std::vector<Document> computed_again_;
};

}  // namespace
}  // namespace tour

int main(int argc, char** argv) {
  CLI::App app("Calculates on the text files of a directory, and shows the use of a cache.",
               "tour");
  std::string directory;
  std::string cache_file;
  bool json = false;
  app.add_option("DIR", directory, "directory with text files (default: this project)")
      ->check(CLI::ExistingDirectory);
  app.add_option("--cache", cache_file, "cache file (default: one in ~/.cache)");
  app.add_flag("--json", json, "print only the passes, one JSON object a line");
  return example::run_program(app, argc, argv, [&] {
    using namespace tour;
    const fs::path chosen = directory.empty() ? default_directory() : fs::path(directory);
    Tour({.directory = fs::canonical(chosen),
          .cache_file = cache_file.empty() ? default_cache_file() : absolute_file(cache_file),
          .json = json})
        .run();
  });
}
