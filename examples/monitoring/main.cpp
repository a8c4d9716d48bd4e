// Watches a cache: its statistics and events in the terminal, refreshed in place, and as a file for
// Prometheus, from the textfile collector of its node_exporter. A small load makes something to
// see.
//
//     monitoring [--cache FILE] [--prometheus FILE.prom] [--frames N] [--every MS]
//
// Where the output is no terminal it prints a line for each frame. With --frames 5, and with other
// numbers each time:
//
// == begin
// health ok, hit ratio 13.2 %, entries 188, evicted 0, notices 0
// health ok, hit ratio 22.8 %, entries 688, evicted 0, notices 0
// health ok, hit ratio 28.7 %, entries 1,221, evicted 0, notices 1
// health ok, hit ratio 34.5 %, entries 1,695, evicted 0, notices 1
// health ok, hit ratio 39.6 %, entries 1,985, evicted 414, notices 1
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <system_error>
#include <vector>

#include "../command_line.hpp"
#include "../printable.hpp"
#include "../temporary_directory.hpp"
#include "display.hpp"
#include "end_signals.hpp"
#include "prometheus.hpp"

namespace monitoring {
namespace {

/// The latest events. The cache's own thread tells them, another one reads them.
class Events {
 public:
  void add(const ashmemo::Notice& notice) {
    constexpr std::size_t kMax = 4;
    const std::lock_guard lock(mutex_);
    ++counts_[std::string(to_string(notice.kind))];
    latest_.push_back(fmt::format("{}: {}", to_string(notice.kind), notice.what));
    if (latest_.size() > kMax) latest_.pop_front();
  }
  /// Many entries leave in a second: the last one is enough to see.
  void add(const ashmemo::Removal& removal) {
    const std::lock_guard lock(mutex_);
    last_removal_ =
        fmt::format("{}: {}", to_string(removal.cause), example::printable(removal.key));
  }
  /// By kind.
  [[nodiscard]] std::map<std::string, int> counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }
  [[nodiscard]] std::deque<std::string> latest() const {
    const std::lock_guard lock(mutex_);
    std::deque<std::string> events = latest_;
    if (!last_removal_.empty()) events.push_back(last_removal_);
    return events;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int> counts_;
  std::deque<std::string> latest_;
  std::string last_removal_;
};

struct Article {
  std::int64_t id = 0;
};

/// Stands for something that takes a while.
double score_of(const Article& article) {
  double score = 0;
  for (int i = 1; i < 20'000; ++i) score += 1.0 / static_cast<double>(article.id + i);
  return score;
}

std::string summary_of(const Article& article) {
  constexpr std::size_t kTooLong =
      300'000;  // more than one entry may have: it is refused, and told
  std::string summary = std::to_string(score_of(article));
  summary.resize(article.id % 1000 == 999 ? kTooLong : 200, '.');
  return summary;
}

/// A program with a cache that is too small for it, so that something happens.
class Program {
 public:
  explicit Program(const std::string& file)
      : file_(file),
        cache_(file, {.limits = {.max_entries = 2000, .max_bytes = 2 * ashmemo::MiB},
                      .hooks = {.on_error = [this](const auto& notice) { events_.add(notice); },
                                .on_removal = [this](const auto& gone) { events_.add(gone); }},
                      .memory_bytes = 512 * ashmemo::KiB}) {
    articles_.cache_calculation("summary", {});
    articles_.cache_calculation("score", {.ttl = std::chrono::seconds(2)});
  }

  /// Somebody reads pages of articles, newer ones more often.
  void work() {
    for (int pages = 0; pages < 20; ++pages) {
      std::vector<Article> page;
      for (int i = 0; i < 20; ++i) {
        const auto one = static_cast<std::int64_t>(random_() % 3000);
        const auto other = static_cast<std::int64_t>(random_() % 3000);
        page.push_back({one * other / 3000});
      }
      (void)articles_.load(page, summary_, score_);
    }
  }
  [[nodiscard]] Snapshot look() const {
    return {file_,
            cache_.stats(),
            cache_.health(),
            {{articles_.name(), summary_.name(), summary_.stats()},
             {articles_.name(), score_.name(), score_.stats()}},
            events_.counts()};
  }
  [[nodiscard]] std::deque<std::string> events() const { return events_.latest(); }
  void flush() {
    try {
      cache_.flush();
    } catch (const ashmemo::Error&) {  // the cache's health says it, and is shown
    }
  }

 private:
  std::string file_;
  std::mt19937 random_{7};
  Events events_;  // before the cache, whose thread uses it
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Article>& articles_ = registry_.resource<Article>("Article", &Article::id);
  ashmemo::Calculation<Article, std::string> summary_ =
      articles_.calculation("summary", summary_of);
  ashmemo::Calculation<Article, double> score_ = articles_.calculation("score", score_of);
};

struct Arguments {
  std::string cache_file;
  std::string prometheus_file;
  int frames = 40;
  int milliseconds = 250;
};

void run(const Arguments& arguments) {
  const EndSignals end_signals;  // before the first thread is started
  const example::TemporaryDirectory own;
  Program program(arguments.cache_file.empty() ? own.file("articles.cache.db")
                                               : arguments.cache_file);
  Display display;
  auto next = std::chrono::steady_clock::now();
  bool is_ended = false;
  for (int frame = 0; frame < arguments.frames && !is_ended; ++frame) {
    program.work();
    if (frame + 1 == arguments.frames) program.flush();  // the last one shows all that was done
    const Snapshot snapshot = program.look();
    display.show(snapshot, program.events());
    if (!arguments.prometheus_file.empty()) {
      write_atomically(arguments.prometheus_file, to_prometheus(snapshot));
    }
    next += std::chrono::milliseconds(arguments.milliseconds);
    is_ended = end_signals.came_before(next);
  }
}

/// For an option that is a number.
CLI::Validator at_least(int least) {
  const std::string allowed = fmt::format("a whole number, {} or more", least);
  return {[least, allowed](const std::string& text) {
            int number = 0;
            const char* const end = text.data() + text.size();
            const auto parsed = std::from_chars(text.data(), end, number);
            const bool is_right = parsed.ec == std::errc{} && parsed.ptr == end && number >= least;
            return is_right ? std::string() : "must be " + allowed;
          },
          ""};
}

}  // namespace
}  // namespace monitoring

int main(int argc, char** argv) {
  CLI::App app("Watches a cache under a small load", "monitoring");
  monitoring::Arguments arguments;
  app.add_option("--cache", arguments.cache_file, "the cache file (default: one for this run)");
  app.add_option("--prometheus", arguments.prometheus_file, "written anew with each frame");
  using monitoring::at_least;
  app.add_option("--frames", arguments.frames, "how often it is shown (default: 40)")
      ->check(at_least(1));
  app.add_option("--every", arguments.milliseconds, "milliseconds for a frame (default: 250)")
      ->check(at_least(0));
  if (const auto status = example::parse(app, argc, argv)) return *status;
  try {
    monitoring::run(arguments);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "monitoring: {}\n", example::printable(error.what()));
    return EXIT_FAILURE;
  }
}
