#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <ashmemo/ashmemo.hpp>
#include <nlohmann/json.hpp>

#include "bench/latencies.hpp"
#include "bench/program.hpp"
#include "bench/scratch_directory.hpp"

// Measures how much longer a load of a stale page takes than a load of a fresh page. A stale load
// returns the stored values, copies the records and posts a refresh. The benchmark drops every
// posted refresh before the next load, so each stale load must post one for all its records.

namespace ashmemo::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kTtl = 1h;

struct Arguments {
  std::size_t records = 1'000;
  std::size_t loads = 2'000;
  std::vector<std::size_t> record_bytes{64, 4'096};
  bool json = false;
};

struct Post {
  std::int64_t id = 0;
  std::string text;
};

/// Keeps posted tasks and never runs them.
class DroppingExecutor final : public Executor {
 public:
  void post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  std::size_t drop() {
    const std::size_t dropped = tasks_.size();
    tasks_.clear();
    return dropped;
  }

 private:
  std::vector<std::function<void()>> tasks_;
};

/// A cache with the results for one page. Its clock decides if they are fresh or stale.
class Page {
 public:
  Page(std::size_t records, std::size_t record_bytes) {
    posts_.cache_calculation("length", {.ttl = kTtl, .stale_while_revalidate = kTtl});
    // The size of a record includes its other members.
    const std::size_t text = record_bytes - std::min(record_bytes, sizeof(Post));
    for (std::size_t id = 0; id < records; ++id) {
      page_.push_back({static_cast<std::int64_t>(id), std::string(text, 'x')});
    }
    (void)length_.warm(page_);
    cache_.flush();
  }

  // Each call returns its duration in nanoseconds.

  std::int64_t load_fresh() {
    clock_->set_wall(stored_);
    const std::int64_t took = load();
    if (executor_->drop() != 0) throw std::logic_error("a fresh load posted a refresh");
    return took;
  }
  std::int64_t load_stale() {
    clock_->set_wall(stored_ + std::chrono::microseconds(kTtl).count());
    const std::int64_t took = load();
    if (executor_->drop() != 1) throw std::logic_error("a stale load posted no refresh");
    return took;
  }
  /// Only copies the records, as every stale load does for its refresh.
  [[nodiscard]] std::int64_t copy() const {
    const auto start = SteadyClock::now();
    const std::vector<Post> copied(page_);
    return std::chrono::nanoseconds(SteadyClock::now() - start).count();
  }

 private:
  std::int64_t load() {
    const auto start = SteadyClock::now();
    const std::vector<std::int64_t> lengths = length_(page_);
    return std::chrono::nanoseconds(SteadyClock::now() - start).count();
  }

  ScratchDirectory directory_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  const std::int64_t stored_ = clock_->wall_now();
  std::shared_ptr<DroppingExecutor> executor_ = std::make_shared<DroppingExecutor>();
  Cache cache_{directory_.file("stale_load.cache.db"),
               {.hooks = {.clock = clock_, .executor = executor_, .worker = WorkerMode::manual}}};
  Registry registry_{cache_};
  Resource<Post>& posts_ = registry_.resource<Post>("Post", &Post::id);
  Calculation<Post, std::int64_t> length_ = posts_.calculation("length", [](Records<Post> batch) {
    std::vector<std::int64_t> lengths;
    for (const Post& post : batch) {
      lengths.push_back(static_cast<std::int64_t>(post.text.size()));
    }
    return lengths;
  });
  std::vector<Post> page_;
};

/// The duration of each load of one page.
struct Measured {
  explicit Measured(std::size_t loads) : fresh(loads), stale(loads), copy(loads) {}

  Latencies fresh;
  Latencies stale;
  Latencies copy;
};

Measured measure(const Arguments& arguments, std::size_t record_bytes) {
  Page page(arguments.records, record_bytes);
  for (int i = 0; i < 20; ++i) (void)(page.load_fresh() + page.load_stale());  // fills page caches
  Measured measured(arguments.loads);
  // Take turns, so that other work on the machine disturbs all three alike.
  for (std::size_t i = 0; i < arguments.loads; ++i) {
    measured.fresh.add(page.load_fresh());
    measured.stale.add(page.load_stale());
    measured.copy.add(page.copy());
  }
  return measured;
}

void show(const Arguments& arguments, std::size_t record_bytes, Measured measured) {
  const double ratio =
      static_cast<double>(measured.stale.at(0.5)) / static_cast<double>(measured.fresh.at(0.5));
  if (arguments.json) {
    const nlohmann::ordered_json json{{"record_bytes", record_bytes},
                                      {"records", arguments.records},
                                      {"loads", arguments.loads},
                                      {"fresh_p50_ns", measured.fresh.at(0.5)},
                                      {"fresh_p90_ns", measured.fresh.at(0.9)},
                                      {"stale_p50_ns", measured.stale.at(0.5)},
                                      {"stale_p90_ns", measured.stale.at(0.9)},
                                      {"copy_p50_ns", measured.copy.at(0.5)},
                                      {"ratio", ratio}};
    fmt::print("{}\n", json.dump());
  } else {
    const auto us = [](Latencies& latencies, double share) {
      return static_cast<double>(latencies.at(share)) / 1'000;
    };
    fmt::print("{:>12} {:>8} {:>12.1f} {:>8.1f} {:>12.1f} {:>8.1f} {:>6.2f} {:>12.1f}\n",
               grouped(static_cast<std::int64_t>(record_bytes)), arguments.loads,
               us(measured.fresh, 0.5), us(measured.fresh, 0.9), us(measured.stale, 0.5),
               us(measured.stale, 0.9), ratio, us(measured.copy, 0.5));
  }
  std::fflush(stdout);
}

void run(const Arguments& arguments) {
  if (!arguments.json) {
    fmt::print("{:>12} {:>8} {:>12} {:>8} {:>12} {:>8} {:>6} {:>12}\n", "record bytes", "loads",
               "fresh p50 us", "p90 us", "stale p50 us", "p90 us", "ratio", "copy p50 us");
  }
  for (const std::size_t record_bytes : arguments.record_bytes) {
    show(arguments, record_bytes, measure(arguments, record_bytes));
  }
}

}  // namespace
}  // namespace ashmemo::bench

int main(int argc, char** argv) {
  CLI::App app("Compares loads of stale pages with loads of fresh ones.", "stale_load");
  ashmemo::bench::Arguments arguments;
  app.add_option("--records", arguments.records, "number of records in the page")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--loads", arguments.loads, "number of loads of each kind")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--record-bytes", arguments.record_bytes,
                 "sizes of a record in bytes, including its text; a list: 64,4096")
      ->check(CLI::Range(1, 1 << 24))
      ->delimiter(',')
      ->capture_default_str();
  app.add_flag("--json", arguments.json, "print one JSON object per line instead of the table");
  return ashmemo::bench::run_program(app, argc, argv, [&] { ashmemo::bench::run(arguments); });
}
