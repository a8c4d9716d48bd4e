// Eight threads ask at once for pages that overlap: whatever one of them computes already, the
// others wait for, so that no record is computed twice. Prints, each time the same:
//
// == begin
// 8 threads, 100 records each, 50 of them asked for by the next thread, too
//   800 asked for: 0 hits, 450 computed, 350 joined
//   450 different records, the most often computed one 1 time
// The same once more
//   800 asked for: 800 hits, 0 computed, 0 joined
//   450 different records, the most often computed one 1 time
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <future>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../arguments.hpp"
#include "../grouped.hpp"
#include "../temporary_directory.hpp"

namespace {

constexpr std::int64_t kThreads = 8;
constexpr std::int64_t kPage = 100;
constexpr std::int64_t kStep = 50;

struct Photo {
  std::int64_t id = 0;
};

/// An expensive batch calculation that counts how often it was done for each record.
class Thumbnails {
 public:
  explicit Thumbnails(const std::string& file) : cache_(file) {
    photos_.cache_calculation("thumbnail", {});
  }

  [[nodiscard]] ashmemo::Stats stats() const { return cache_.stats(); }
  [[nodiscard]] std::vector<std::string> of(const std::vector<Photo>& page) const {
    return thumbnail_(page);
  }
  [[nodiscard]] const std::map<std::int64_t, int>& times_computed() const { return times_; }

 private:
  std::vector<std::string> compute(ashmemo::Records<Photo> batch) {
    take_long();
    const std::lock_guard lock(mutex_);  // the calculation runs on several threads at once
    std::vector<std::string> thumbnails;
    for (const Photo& photo : batch) {
      ++times_[photo.id];
      thumbnails.push_back(fmt::format("thumbnail {}", photo.id));
    }
    return thumbnails;
  }
  // So long that everybody has asked meanwhile. A real one takes its time by itself.
  void take_long() const {
    while (cache_.stats().misses < kThreads * kPage) std::this_thread::yield();
  }

  std::mutex mutex_;
  std::map<std::int64_t, int> times_;
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Photo>& photos_ = registry_.resource<Photo>("Photo", &Photo::id);
  ashmemo::Calculation<Photo, std::string> thumbnail_ = photos_.calculation(
      "thumbnail", [this](ashmemo::Records<Photo> batch) { return compute(batch); });
};

void ask_for_page(const Thumbnails& thumbnails, std::int64_t first) {
  std::vector<Photo> page;
  for (std::int64_t id = first; id < first + kPage; ++id) page.push_back({id});
  const std::vector<std::string> got = thumbnails.of(page);
  for (std::size_t i = 0; i < page.size(); ++i) {
    if (got[i] != fmt::format("thumbnail {}", page[i].id)) throw std::runtime_error(got[i]);
  }
}

void ask_from_all_threads(const Thumbnails& thumbnails) {
  const ashmemo::Stats before = thumbnails.stats();
  std::vector<std::future<void>> asking;
  for (std::int64_t thread = 0; thread < kThreads; ++thread) {
    asking.push_back(
        std::async(std::launch::async, [&, thread] { ask_for_page(thumbnails, thread * kStep); }));
  }
  for (std::future<void>& one : asking) one.get();
  const ashmemo::Stats after = thumbnails.stats();
  fmt::print("  {} asked for: {} hits, {} computed, {} joined\n", kThreads * kPage,
             after.hits - before.hits, after.computed - before.computed,
             after.joined - before.joined);
  const std::map<std::int64_t, int>& times = thumbnails.times_computed();
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  fmt::print("  {} different records, the most often computed one {}\n", times.size(),
             example::counted(std::max_element(times.begin(), times.end(), fewer)->second, "time",
                              "times"));
}

}  // namespace

int main(int argc, char** argv) {
  const auto refused = example::refuse_arguments(
      argc, argv, "single_flight: threads that want the same results at once");
  if (refused) return *refused;
  try {
    const example::TemporaryDirectory directory;
    Thumbnails thumbnails(directory.file("photos.cache.db"));
    fmt::print("{} threads, {} records each, {} of them asked for by the next thread, too\n",
               kThreads, kPage, kPage - kStep);
    ask_from_all_threads(thumbnails);
    fmt::print("The same once more\n");
    ask_from_all_threads(thumbnails);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "single_flight: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
