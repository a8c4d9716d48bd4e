// Thumbnails of the JPEG photos in a directory. A real image library (TurboJPEG) makes them once;
// then they come from the cache until a photo changes. A broken photo fails alone.
// The program does not change DIR. Without DIR it paints photos in a temporary directory.
//
//     thumbnails [DIR] [--cache FILE]

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
#include "../common/terminal.hpp"
#include "jpeg.hpp"

namespace thumbnails {
namespace {

namespace fs = std::filesystem;

/// A photo as the directory lists it. Only the calculation opens the file.
struct Photo {
  std::string path;
  std::string version;  ///< modification time and size, which change when the file is edited
};

std::vector<Photo> photos_in(const fs::path& directory) {
  std::vector<Photo> photos;
  for (const fs::directory_entry& file : fs::directory_iterator(directory)) {
    std::string ending = file.path().extension().string();
    for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (!file.is_regular_file() || (ending != ".jpg" && ending != ".jpeg")) continue;
    photos.push_back({file.path().string(),
                      fmt::format("{}-{}", file.last_write_time().time_since_epoch().count(),
                                  file.file_size())});
  }
  std::sort(photos.begin(), photos.end(),
            [](const Photo& a, const Photo& b) { return a.path < b.path; });
  return photos;
}

Bytes read_file(const fs::path& file) {
  std::ifstream input(file, std::ios::binary);
  if (!input) throw std::runtime_error("cannot be read");
  return {std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& file, const Bytes& content) {
  std::ofstream output(file, std::ios::binary);
  output.write(reinterpret_cast<const char*>(content.data()), std::ssize(content));
  if (!output.flush()) throw std::runtime_error("cannot write " + file.string());
}

/// A broken photo fails with the reason. The cache keeps the thumbnails of the others.
std::vector<ashmemo::Outcome<Bytes>> make_thumbnails(ashmemo::Records<Photo> batch) {
  std::vector<ashmemo::Outcome<Bytes>> thumbnails;
  for (const Photo& photo : batch) {
    try {
      thumbnails.emplace_back(make_thumbnail(read_file(photo.path)));
    } catch (const std::exception& error) {
      thumbnails.emplace_back(ashmemo::Failed{error.what()});
    }
  }
  return thumbnails;
}

class Album {
 public:
  explicit Album(const std::string& cache_file) : cache_(cache_file) {
    photos_.record_version(&Photo::version);
    photos_.cache_calculation("thumbnail", {});
    fmt::print("  {:<12}{:>8}{:>8}{:>10}{:>8}{:>10}\n", "pass", "photos", "hits", "computed",
               "failed", "ms");
  }

  /// Asks for the thumbnails of all photos and prints what that took.
  void load(std::string_view pass, const std::vector<Photo>& photos) {
    failed_.clear();
    const ashmemo::Stats before = cache_.stats();
    const auto start = std::chrono::steady_clock::now();
    try {
      (void)thumbnail_(photos);
    } catch (const ashmemo::CalculationFailed& failed) {  // the other thumbnails are in the cache
      failed_ = failed.records();
    }
    thumbnails_ = thumbnail_.cached(photos);
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
    const ashmemo::Stats after = cache_.stats();
    fmt::print("  {:<12}{:>8}{:>8}{:>10}{:>8}{:>10.1f}\n", pass, photos.size(),
               after.hits - before.hits, after.computed - before.computed, failed_.size(),
               ms.count());
  }
  /// The result of the latest `load`.
  void print_results(const std::vector<Photo>& photos) {
    std::size_t count = 0;
    std::size_t bytes = 0;
    for (const std::optional<Bytes>& thumbnail : thumbnails_) {
      if (!thumbnail) continue;
      ++count;
      bytes += thumbnail->size();
    }
    cache_.flush();
    fmt::print("\nthumbnails {:L}, bytes {:L}, as entries of the file {:L}\n", count, bytes,
               cache_.stats().bytes);
    for (const auto& failed : failed_) {
      const std::string name = fs::path(photos[failed.index].path).filename().string();
      fmt::print("  {}: {}\n", example::printable(name), example::printable(failed.why));
    }
  }

 private:
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Photo>& photos_ = registry_.resource<Photo>("Photo", &Photo::path);
  ashmemo::Calculation<Photo, Bytes> thumbnail_ = photos_.calculation("thumbnail", make_thumbnails);
  std::vector<std::optional<Bytes>> thumbnails_;
  std::vector<ashmemo::CalculationFailed::Record> failed_;
};

void paint_photos(const fs::path& directory) {
  for (int number = 1; number <= 36; ++number) {
    write_file(directory / fmt::format("photo-{:02}.jpg", number), paint_photo(number));
  }
  const std::string_view text = "this is not a photo";
  write_file(directory / "broken.jpg", {text.begin(), text.end()});
  Bytes half = read_file(directory / "photo-01.jpg");
  half.resize(half.size() / 2);
  write_file(directory / "cut-off.jpg", half);
}

void run(const std::string& directory, const std::string& cache_file) {
  const example::TemporaryDirectory own;
  const bool is_painted = directory.empty();
  if (is_painted) paint_photos(own.path());
  // The canonical path gives each photo one key, also if links lead to the directory.
  const fs::path folder = fs::canonical(is_painted ? own.path() : fs::path(directory));
  std::vector<Photo> photos = photos_in(folder);
  if (photos.empty()) throw std::runtime_error("no JPEG files (.jpg, .jpeg) in " + directory);

  Album album(cache_file.empty() ? own.file("photos.cache.db") : cache_file);
  album.load("first", photos);
  album.load("again", photos);
  if (is_painted) {
    write_file(photos.back().path, paint_photo(37));
    photos = photos_in(folder);
    album.load("one edited", photos);
  }
  album.print_results(photos);
}

}  // namespace
}  // namespace thumbnails

int main(int argc, char** argv) {
  CLI::App app("Thumbnails of the JPEG photos in a directory, kept in a cache.", "thumbnails");
  std::string directory;
  std::string cache_file;
  app.add_option("DIR", directory, "directory with photos (default: some are painted)")
      ->check(CLI::ExistingDirectory);
  app.add_option("--cache", cache_file, "cache file (default: a temporary one)");
  return example::run_program(app, argc, argv, [&] { thumbnails::run(directory, cache_file); });
}
