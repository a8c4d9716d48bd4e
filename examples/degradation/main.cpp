// A program whose cache meets what a cache can meet: another program's lock, a full disk, a damaged
// file, one that is deleted or replaced. The program looks after none of that, and every answer is
// right. What the cache tells it, and how it goes on, each time the same:
//
// == begin
// All is well
//   new ones                 100 right:   0 hits, 100 computed,   0 dropped
//   health: ok; 100 entries, 0 evicted so far
//   the same                 100 right: 100 hits,   0 computed,   0 dropped
//
// Another program holds the file's lock
//   known and new ones       200 right: 100 hits, 100 computed,   0 dropped
//   told: busy: photos.cache.db: another program holds the write lock; writes wait
//     in memory: beginning a transaction: database is locked (SQLite code 5)
//   health: degraded; 100 entries, 0 evicted so far
//   too many new ones        200 right:   0 hits, 200 computed, 192 dropped
// It lets go
//   told: writes_dropped: photos.cache.db: the value of Photo:209:preview was not
//     kept: no room in the queue of 262144 bytes for 100 ms
//   told: recovered: photos.cache.db: writing works again
//   health: ok; 208 entries, 0 evicted so far
//   all of these             400 right: 208 hits, 192 computed,   0 dropped
//   health: ok; 400 entries, 0 evicted so far
//
// The disk is full: old ones leave, and new ones take their place
//   told: write_failed: photos.cache.db: writing failed and is tried again; reads
//     go on: the file cannot grow: its disk is full
//   told: recovered: photos.cache.db: writing works again
//   new ones                 200 right:   0 hits, 200 computed,   0 dropped
//   health: ok; 349 entries, 251 evicted so far
//   some of them              40 right:  40 hits,   0 computed,   0 dropped
//   old ones                  40 right:  32 hits,   8 computed,   0 dropped
//   health: ok; 357 entries, 251 evicted so far
// There is room again
//   new ones                 200 right:   0 hits, 200 computed,   0 dropped
//   health: ok; 557 entries, 251 evicted so far
//   the same                 200 right: 200 hits,   0 computed,   0 dropped
//
// The file is damaged: it is set aside, and a new one begun
//   known ones               100 right:   0 hits, 100 computed,   0 dropped
//   told: read_failed: photos.cache.db: reading failed, answered as misses:
//     reading entries: database disk image is malformed (SQLite code 11)
//   told: quarantine: photos.cache.db was damaged (reading entries: database disk
//     image is malformed (SQLite code 11)): renamed to
//     photos.cache.db.corrupt-1700000480000000, and a new file begun; remove the
//     old one when you do not need it
//   health: ok; 100 entries, 251 evicted so far
//   the same                 100 right: 100 hits,   0 computed,   0 dropped
//
// The file is deleted: a new one is begun
//   told: file_lost: photos.cache.db was deleted, moved away or replaced while it
//     was open: what was in it is gone, and the path is opened again
//   health: ok; 0 entries, 251 evicted so far
//   what was known           100 right:   0 hits, 100 computed,   0 dropped
//   health: ok; 100 entries, 251 evicted so far
//   the same                 100 right: 100 hits,   0 computed,   0 dropped
//
// Somebody's database takes its place: it is left alone
//   told: file_lost: photos.cache.db was deleted, moved away or replaced while it
//     was open: what was in it is gone, and the path is opened again
//   told: unavailable: photos.cache.db: there is no cache file at the moment
//     ('photos.cache.db' is an SQLite database, but not a cache file. It was left
//     untouched: choose another path, or move it away); reads miss, writes are not
//     kept; it is tried again
//   health: unavailable; 0 entries, 251 evicted so far
//   what was known           100 right:   0 hits, 100 computed, 100 dropped
//   health: unavailable; 0 entries, 251 evicted so far
// It goes: 1 table, as it was
//   told: available: photos.cache.db is open again
//   health: ok; 0 entries, 251 evicted so far
//   the same                 100 right:   0 hits, 100 computed,   0 dropped
//   health: ok; 100 entries, 251 evicted so far
// == end

#include <ashmemo/ashmemo.hpp>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../arguments.hpp"
#include "../in_lines.hpp"
#include "../temporary_directory.hpp"
#include "full_disk.hpp"

namespace degradation {
namespace {

using namespace std::chrono_literals;

struct Photo {
  std::int64_t id = 0;
};

/// Stands for something expensive; with so many bytes that a disk can be full of it.
std::string make_preview(const Photo& photo) {
  return std::string(2000, static_cast<char>('a' + photo.id % 26)) + std::to_string(photo.id);
}

/// An application with a cache. Nothing here looks after a broken file: there is nothing to do.
/// The clock moves by hand and the worker works when it is told, so that each run is the same.
class Application {
 public:
  explicit Application(const std::filesystem::path& file)
      : directory_(file.parent_path().string() + '/'),
        cache_(file.string(), {.hooks = {.clock = clock_,
                                         .on_error = [this](const auto& notice) { notify(notice); },
                                         .worker = ashmemo::WorkerMode::manual},
                               .memory_bytes = 0,  // so that what is a hit was in the file
                               .queue_bytes = 256 * ashmemo::KiB}) {
    photos_.cache_calculation("preview", {});
  }

  /// Asks for a page of previews and looks at each of them.
  void show(std::string_view what, std::int64_t first, std::int64_t last) {
    std::vector<Photo> page;
    for (std::int64_t id = first; id <= last; ++id) page.push_back({id});
    const ashmemo::Stats before = cache_.stats();
    const std::vector<std::string> previews = preview_(page);
    const ashmemo::Stats after = cache_.stats();
    for (std::size_t i = 0; i < page.size(); ++i) {
      if (previews[i] != make_preview(page[i])) throw std::runtime_error("a wrong preview");
    }
    fmt::print("  {:<24}{:>4} right:{:>4} hits,{:>4} computed,{:>4} dropped\n", what, page.size(),
               after.hits - before.hits, after.computed - before.computed,
               after.dropped - before.dropped);
  }
  /// What the worker's thread does by itself all the time.
  void let_work() {
    clock_->advance(1min);  // longer than any pause before something is tried again
    while (cache_.run_maintenance()) {
    }
    const ashmemo::Stats stats = cache_.stats();
    fmt::print("  health: {}; {} entries, {} evicted so far\n", to_string(cache_.health().state),
               stats.entries, stats.evicted);
  }
  void compact() { cache_.compact(); }

 private:
  void notify(const ashmemo::Notice& notice) const {
    std::string what = notice.what;
    for (auto at = what.find(directory_); at != std::string::npos; at = what.find(directory_)) {
      what.erase(at, directory_.size());  // it is another one each time
    }
    fmt::print("{}", example::in_lines(fmt::format("told: {}: {}", to_string(notice.kind), what)));
  }

  std::string directory_;
  std::shared_ptr<ashmemo::ManualClock> clock_ = std::make_shared<ashmemo::ManualClock>();
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Photo>& photos_ = registry_.resource<Photo>("Photo", &Photo::id);
  ashmemo::Calculation<Photo, std::string> preview_ = photos_.calculation("preview", make_preview);
};

/// SQLite of this process stands for the other program: a `sqlite3` in which somebody began a
/// transaction and went home.
void show_lock(Application& application, const std::string& file) {
  fmt::print("\nAnother program holds the file's lock\n");
  SQLite::Database other(file, SQLite::OPEN_READWRITE);
  other.exec("BEGIN IMMEDIATE");
  application.show("known and new ones", 1, 200);
  application.let_work();
  application.show("too many new ones", 201, 400);
  other.exec("COMMIT");
  fmt::print("It lets go\n");
  application.let_work();
  application.show("all of these", 1, 400);
  application.let_work();
}

void show_full_disk(Application& application) {
  fmt::print("\nThe disk is full: old ones leave, and new ones take their place\n");
  {
    const FullDisk full;
    application.show("new ones", 401, 600);
    application.let_work();
    application.show("some of them", 561, 600);
    application.show("old ones", 1, 40);
    application.let_work();
  }
  fmt::print("There is room again\n");
  application.show("new ones", 601, 800);
  application.let_work();
  application.show("the same", 601, 800);
}

// In this process nobody but SQLite may open the file: closing it would drop SQLite's locks.
void as_another_program(const std::string& command) {
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
}

void show_damage(Application& application, const std::string& file) {
  fmt::print("\nThe file is damaged: it is set aside, and a new one begun\n");
  application.compact();  // else what matters would still be in the log
  as_another_program(fmt::format(
      "dd if=/dev/zero 'of={}' bs=4096 seek=1 count=300 conv=notrunc 2>/dev/null", file));
  application.show("known ones", 601, 700);
  application.let_work();
  application.show("the same", 601, 700);
}

void show_deletion(Application& application, const std::string& file) {
  fmt::print("\nThe file is deleted: a new one is begun\n");
  std::filesystem::remove(file);
  application.let_work();
  application.show("what was known", 601, 700);
  application.let_work();
  application.show("the same", 601, 700);
}

void show_replacement(Application& application, const std::string& file) {
  fmt::print("\nSomebody's database takes its place: it is left alone\n");
  std::filesystem::remove(file);
  SQLite::Database notes(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  notes.exec("CREATE TABLE notes (text)");
  application.let_work();
  application.show("what was known", 601, 700);
  application.let_work();
  fmt::print("It goes: {} table, as it was\n",
             notes.execAndGet("SELECT count(*) FROM sqlite_schema").getInt());
  std::filesystem::remove(file);
  application.let_work();
  application.show("the same", 601, 700);
  application.let_work();
}

void run() {
  const example::TemporaryDirectory directory;
  const std::string file = directory.file("photos.cache.db");
  Application application(file);
  fmt::print("All is well\n");
  application.show("new ones", 1, 100);
  application.let_work();
  application.show("the same", 1, 100);
  show_lock(application, file);
  show_full_disk(application);
  show_damage(application, file);
  show_deletion(application, file);
  show_replacement(application, file);
}

}  // namespace
}  // namespace degradation

int main(int argc, char** argv) {
  const auto refused = example::refuse_arguments(
      argc, argv, "degradation: a cache whose file meets what files can meet");
  if (refused) return *refused;
  try {
    degradation::run();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "degradation: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
