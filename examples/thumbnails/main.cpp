// Thumbnails of the JPEG photos in a directory, as a file manager shows them: made once with a real
// image library (TurboJPEG), then taken from the cache until a photo changes.
//
//     thumbnails [DIR] [--cache FILE]
//
// Nothing in DIR is changed. Without DIR it first paints photos, into a directory of its own.
// Prints, with other times each run:
//
// == begin
// 38 photos, 1,349,648 bytes; thumbnails of 160 pixels at most
//   pass          photos    hits  computed  failed        ms  speed-up
//   first             38       0        36       2      30.0       1 x
//   again             38      36         0       2       0.3      90 x
//   one edited        38      35         1       2       1.1      28 x
//
// 36 thumbnails, 82,086 bytes; as entries of the file 149,622 bytes
//   broken.jpg: Not a JPEG file: starts with 0x74 0x68
//   cut-off.jpg: Premature end of JPEG file
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../command_line.hpp"
#include "../grouped.hpp"
#include "../printable.hpp"
#include "../temporary_directory.hpp"
#include "jpeg.hpp"
#include "photos.hpp"

namespace thumbnails {
namespace {

namespace fs = std::filesystem;
using example::counted;
using example::grouped;
using example::printable;

constexpr int kMax = 160;
constexpr int kPainted = 36;

/// One photo that is broken does not spoil the others: its record fails, with the reason.
std::vector<ashmemo::Outcome<Bytes>> make_thumbnails(ashmemo::Records<Photo> batch) {
  std::vector<ashmemo::Outcome<Bytes>> made;
  for (const Photo& photo : batch) {
    try {
      made.emplace_back(to_jpeg(small_picture_of(read_file(photo.path), kMax)));
    } catch (const std::exception& error) {
      made.emplace_back(ashmemo::Failed{error.what()});
    }
  }
  return made;
}

class Album {
 public:
  explicit Album(const std::string& cache_file) : cache_(cache_file) {
    photos_.record_version(&Photo::version);
    photos_.cache_calculation("thumbnail", {});
  }

  /// Asks for all thumbnails, and says what that took. Returns those that there are.
  std::vector<std::optional<Bytes>> show(std::string_view pass, const std::vector<Photo>& photos) {
    failed_.clear();
    const ashmemo::Stats before = cache_.stats();
    const auto begin = std::chrono::steady_clock::now();
    try {
      (void)thumbnail_(photos);
    } catch (const ashmemo::CalculationFailed& failed) {  // the others are in the cache
      failed_ = failed.records();
    }
    auto thumbnails = thumbnail_.cached(photos);
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - begin;
    const ashmemo::Stats after = cache_.stats();
    if (first_ms_ == 0) first_ms_ = ms.count();
    fmt::print("  {:<12}{:>8}{:>8}{:>10}{:>8}{:>10.1f}{:>8.0f} x\n", pass, photos.size(),
               after.hits - before.hits, after.computed - before.computed, failed_.size(),
               ms.count(), first_ms_ / ms.count());
    return thumbnails;
  }
  void show_failed(const std::vector<Photo>& photos) const {
    for (const auto& failed : failed_) {
      const std::string name = fs::path(photos[failed.index].path).filename().string();
      fmt::print("  {}: {}\n", printable(name), printable(failed.why));
    }
  }
  [[nodiscard]] ashmemo::Stats stats() {
    cache_.flush();
    return cache_.stats();
  }

 private:
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Photo>& photos_ = registry_.resource<Photo>("Photo", &Photo::path);
  ashmemo::Calculation<Photo, Bytes> thumbnail_ = photos_.calculation("thumbnail", make_thumbnails);
  std::vector<ashmemo::CalculationFailed::Record> failed_;
  double first_ms_ = 0;
};

void paint_photos(const fs::path& directory) {
  for (int number = 1; number <= kPainted; ++number) {
    write_file(directory / fmt::format("photo-{:02}.jpg", number), to_jpeg(paint(number)));
  }
  const std::string_view text = "this is no photo";
  write_file(directory / "broken.jpg", {text.begin(), text.end()});
  Bytes half = read_file(directory / "photo-01.jpg");
  half.resize(half.size() / 2);
  write_file(directory / "cut-off.jpg", half);
}

std::int64_t bytes_of(const std::vector<Photo>& photos) {
  std::int64_t bytes = 0;
  for (const Photo& photo : photos) bytes += static_cast<std::int64_t>(photo.bytes);
  return bytes;
}

void show_sizes(const std::vector<std::optional<Bytes>>& thumbnails, const ashmemo::Stats& stats) {
  std::int64_t count = 0;
  std::int64_t bytes = 0;
  for (const std::optional<Bytes>& thumbnail : thumbnails) {
    if (!thumbnail) continue;
    ++count;
    bytes += static_cast<std::int64_t>(thumbnail->size());
  }
  fmt::print("\n{}, {} bytes; as entries of the file {} bytes\n",
             counted(count, "thumbnail", "thumbnails"), grouped(bytes), grouped(stats.bytes));
}

void run(std::string directory, std::string cache_file) {
  const example::TemporaryDirectory own;
  if (cache_file.empty()) cache_file = own.file("photos.cache.db");
  const bool paints = directory.empty();
  if (paints) {
    directory = own.path().string();
    paint_photos(directory);
  }
  // Each photo has one name, whatever links lead to it.
  const fs::path folder = fs::canonical(directory);
  std::vector<Photo> photos = photos_in(folder);
  if (photos.empty()) throw std::runtime_error("no JPEG files (.jpg, .jpeg) in " + directory);
  fmt::print("{}, {} bytes; thumbnails of {} pixels at most\n",
             counted(std::ssize(photos), "photo", "photos"), grouped(bytes_of(photos)), kMax);
  fmt::print("  {:<12}{:>8}{:>8}{:>10}{:>8}{:>10}{:>10}\n", "pass", "photos", "hits", "computed",
             "failed", "ms", "speed-up");
  Album album(cache_file);
  (void)album.show("first", photos);
  auto thumbnails = album.show("again", photos);
  if (paints) {
    write_file(photos.back().path, to_jpeg(paint(kPainted + 1)));
    photos = photos_in(folder);
    thumbnails = album.show("one edited", photos);
  }
  show_sizes(thumbnails, album.stats());
  album.show_failed(photos);
}

}  // namespace
}  // namespace thumbnails

int main(int argc, char** argv) {
  CLI::App app("Thumbnails of the JPEG photos in a directory, kept in a cache", "thumbnails");
  std::string directory;
  std::string cache_file;
  app.add_option("DIR", directory, "where the photos are (default: some are painted)")
      ->check(CLI::ExistingDirectory);
  app.add_option("--cache", cache_file, "the cache file (default: one for this run)");
  if (const auto status = example::parse(app, argc, argv)) return *status;
  try {
    thumbnails::run(directory, cache_file);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "thumbnails: {}\n", example::printable(error.what()));
    return EXIT_FAILURE;
  }
}
