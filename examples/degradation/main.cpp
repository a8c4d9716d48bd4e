// What happens when things break. First the source of the data fails. Then the cache file: another
// program locks it, the disk is full, the file is damaged, deleted or replaced. The application
// does nothing about any of this, and still gets right answers. The cache reports the faults and
// repairs what it can. The output is the same in each run.

#include <ashmemo/ashmemo.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
#include "../common/terminal.hpp"
#include "full_disk.hpp"
#include "source.hpp"

namespace degradation {
namespace {

using namespace std::chrono_literals;

struct Photo {
  std::int64_t id = 0;
};

/// Stands for something expensive. The results are large enough to fill a disk.
std::string make_preview(const Photo& photo) {
  return std::string(2000, static_cast<char>('a' + photo.id % 26)) + std::to_string(photo.id);
}

/// An application with a cache. The clock moves only in `work`, and the worker works only there, so
/// that each run prints the same.
class Application {
 public:
  explicit Application(const std::string& file)
      : cache_(
            file,
            {.hooks = {.clock = clock_, .on_error = report, .worker = ashmemo::WorkerMode::manual},
             .memory_bytes = 0,  // so that each hit comes from the file
             .queue_bytes = 256 * ashmemo::KiB}) {
    photos_.cache_calculation("preview", {});
  }

  /// Loads a page of previews and compares each of them with the right result.
  void load(std::string_view what, std::int64_t first, std::int64_t last) {
    std::vector<Photo> page;
    for (std::int64_t id = first; id <= last; ++id) page.push_back({id});
    const ashmemo::Stats before = cache_.stats();
    const std::vector<std::string> previews = preview_(page);
    const ashmemo::Stats after = cache_.stats();
    for (std::size_t i = 0; i < page.size(); ++i) {
      if (previews[i] != make_preview(page[i])) throw std::runtime_error("wrong preview");
    }
    fmt::print("  {:<24}right {:>3}, hits {:>3}, computed {:>3}, dropped {:>3}\n", what,
               page.size(), after.hits - before.hits, after.computed - before.computed,
               after.dropped - before.dropped);
  }
  /// What the worker's thread does by itself in other applications.
  void work() {
    clock_->advance(1min);  // longer than any pause before the cache tries something again
    while (cache_.run_maintenance()) {
    }
    const ashmemo::Stats stats = cache_.stats();
    fmt::print("  health {}, entries {}, evicted {}\n", to_string(cache_.health().state),
               stats.entries, stats.evicted);
  }
  void compact() { cache_.compact(); }

 private:
  static void report(const ashmemo::Notice& notice) {
    fmt::print("{}",
               example::wrapped(fmt::format("notice {}: {}", to_string(notice.kind), notice.what)));
  }

  std::shared_ptr<ashmemo::ManualClock> clock_ = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Photo>& photos_ = registry_.resource<Photo>("Photo", &Photo::id);
  ashmemo::Calculation<Photo, std::string> preview_ = photos_.calculation("preview", make_preview);
};

/// A second connection of this process acts as the other program.
void show_lock(Application& application, const std::string& file) {
  fmt::print("\nAnother program locks the file\n");
  SQLite::Database other(file, SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  application.load("old and new photos", 1, 200);
  application.work();
  application.load("too many new photos", 201, 400);
  other.exec("COMMIT");
  fmt::print("The other program releases the lock\n");
  application.work();
  application.load("all of these photos", 1, 400);
  application.work();
}

void show_full_disk(Application& application) {
  fmt::print("\nThe disk is full: the cache evicts old entries to make space for new ones\n");
  {
    const FullDisk full;
    application.load("new photos", 401, 600);
    application.work();
    application.load("the newest of these", 561, 600);
    application.load("the oldest photos", 1, 40);
    application.work();
  }
  fmt::print("The disk has space again\n");
  application.load("new photos", 601, 800);
  application.work();
  application.load("the same photos", 601, 800);
}

void show_damage(Application& application, const std::string& file) {
  fmt::print("\nThe file is damaged: the cache renames it and creates a new file\n");
  application.compact();  // moves all entries from the log to the file, where the damage is
  // Another process must do this. If this process opened and closed the file, it would lose the
  // locks that SQLite holds.
  const std::string command = fmt::format(
      "dd if=/dev/zero 'of={}' bs=4096 seek=1 count=300 conv=notrunc 2>/dev/null", file);
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  application.load("old photos", 601, 700);
  application.work();
  application.load("the same photos", 601, 700);
}

void show_deletion(Application& application, const std::string& file) {
  fmt::print("\nThe file is deleted: the cache creates a new file\n");
  std::filesystem::remove(file);
  application.work();
  application.load("old photos", 601, 700);
  application.work();
  application.load("the same photos", 601, 700);
}

void show_replacement(Application& application, const std::string& file) {
  fmt::print("\nAnother database is at this path: the cache does not touch it\n");
  std::filesystem::remove(file);
  SQLite::Database notes(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  notes.exec("CREATE TABLE notes (text)");
  application.work();
  application.load("old photos", 601, 700);
  application.work();
  fmt::print("The other database is moved away; tables in it: {}\n",
             notes.execAndGet("SELECT count(*) FROM sqlite_schema").getInt());
  std::filesystem::remove(file);
  application.work();
  application.load("the same photos", 601, 700);
  application.work();
}

void run() {
  const example::TemporaryDirectory directory;
  show_failing_source(directory.file("rates.cache.db"));

  const std::string file = directory.file("photos.cache.db");
  Application application(file);
  fmt::print("\nThe cache file without faults\n");
  application.load("new photos", 1, 100);
  application.work();
  application.load("the same photos", 1, 100);
  show_lock(application, file);
  show_full_disk(application);
  show_damage(application, file);
  show_deletion(application, file);
  show_replacement(application, file);
}

}  // namespace
}  // namespace degradation

int main(int argc, char** argv) {
  return example::run_program(
      "degradation", "A cache whose source fails, and whose file is locked, damaged or gone.", argc,
      argv, degradation::run);
}
