#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>

#include <ashmemo/ashmemo.hpp>

#include "bench/entries.hpp"
#include "bench/suite/bench.hpp"
#include "bench/suite/sqlite_connection.hpp"
#include "bench/suite/system_ashmemo.hpp"

// Raising the version of a calculation that has many stored results.

namespace ashmemo::bench {
namespace {

constexpr std::array<std::size_t, 2> kSizes{10'000, 1'000'000};
constexpr std::size_t kPage = 10'000;
constexpr int kRaises = 20;

struct Post {
  std::int64_t id = 0;
};

/// One run of a program whose calculation has this version. The worker is manual, so no outdated
/// result is deleted during the measurement: only the commit is measured.
class Run {
 public:
  Run(const std::string& directory, std::uint32_t version)
      : cache_(cache_file(directory),
               {.limits = {.max_bytes = unlimited}, .hooks = {.worker = WorkerMode::manual}}) {
    length_ = posts_.calculation("length", &Post::id, {.version = version});
    posts_.cache_calculation("length", {});
  }

  void fill(std::size_t entries) {
    std::vector<Post> page;
    for (std::size_t done = 0; done < entries; done += page.size()) {
      page.resize(std::min(kPage, entries - done));
      for (std::size_t i = 0; i < page.size(); ++i) {
        page[i].id = static_cast<std::int64_t>(done + i);
      }
      (void)length_.warm(page);
    }
    cache_.flush();
  }

  /// The first lookup queues the new version. `erase` returns when all writes that were queued
  /// before it are in the file.
  Nanoseconds load_and_commit() {
    return timed([&] {
      require(!length_.cached(Post{1}), "a result of an older version was returned");
      cache_.erase("nothing");
    });
  }

 private:
  Cache cache_;
  Registry registry_{cache_};
  Resource<Post>& posts_ = registry_.resource<Post>("Post", &Post::id);
  Calculation<Post, std::int64_t> length_;
};

/// One small commit of plain SQLite to a file of the same kind.
Nanoseconds commit_raw(const std::string& directory, std::uint32_t version) {
  SqliteConnection connection(cache_file(directory), 4 << 20);
  SqliteStatement update(connection.get(), "UPDATE cache_calculations SET version = ?1");
  update.bind(1, std::int64_t{version});
  return timed([&] { update.run(); });
}

void raise_with(Bench& bench, std::size_t entries) {
  bench.notify(fmt::format("version: filling {}", entries));
  const ScratchDirectory ours;
  const ScratchDirectory raw;
  std::uint32_t version = 1;
  Run(ours.path(), version).fill(entries);
  Run(raw.path(), version).fill(entries);
  std::vector<Lane> lanes;
  lanes.push_back({.system = "ashmemo", .survives = Survives::process_crash, .block = [&] {
                     return Run(ours.path(), ++version).load_and_commit();
                   }});
  lanes.push_back({.system = "raw_sqlite", .survives = Survives::process_crash, .block = [&] {
                     return commit_raw(raw.path(), ++version);
                   }});
  bench.measure_rows(bench.row("version", "", "", entries), lanes,
                     {.count = static_cast<int>(bench.smaller(kRaises)) + 2});
}

}  // namespace

void version(Bench& bench) {
  for (const std::size_t entries : kSizes) raise_with(bench, bench.smaller(entries));
}

}  // namespace ashmemo::bench
