// Monitors a cache: its statistics and events in the terminal, and as a file for Prometheus that
// the textfile collector of node_exporter can read. A small load gives the cache something to do.
//
//     monitoring [--cache FILE] [--prometheus FILE.prom] [--frames N] [--every MS]

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>
#include <signal.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "../common/program.hpp"
#include "../common/temporary_directory.hpp"
#include "../common/terminal.hpp"
#include "display.hpp"
#include "prometheus.hpp"

namespace monitoring {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

/// The latest events. The cache's own thread adds them, another thread reads them.
class Events {
 public:
  void add(const ashmemo::Notice& notice) {
    constexpr std::size_t kMaxShown = 4;
    const std::lock_guard lock(mutex_);
    ++counts_[std::string(to_string(notice.kind))];
    notices_.push_back(fmt::format("{}: {}", to_string(notice.kind), notice.what));
    if (notices_.size() > kMaxShown) notices_.pop_front();
  }
  /// Keeps only the latest removal, because there are many in a second.
  void add(const ashmemo::Removal& removal) {
    const std::lock_guard lock(mutex_);
    removal_ = fmt::format("{}: {}", to_string(removal.cause), example::printable(removal.key));
  }
  [[nodiscard]] std::map<std::string, int> counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
  }
  [[nodiscard]] std::deque<std::string> latest() const {
    const std::lock_guard lock(mutex_);
    std::deque<std::string> events = notices_;
    if (!removal_.empty()) events.push_back(removal_);
    return events;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int> counts_;  ///< notices by kind
  std::deque<std::string> notices_;
  std::string removal_;
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

/// Some summaries are larger than the limit for one entry, so the cache refuses them.
std::string summary_of(const Article& article) {
  std::string summary = std::to_string(score_of(article));
  summary.resize(article.id % 1000 == 999 ? 300'000 : 200, '.');
  return summary;
}

/// A program whose cache is too small for it, so that there are events.
class Program {
 public:
  explicit Program(const std::string& file)
      : file_(file),
        cache_(file, {.limits = {.max_entries = 2000, .max_bytes = 2 * ashmemo::MiB},
                      .hooks = {.on_error = [this](const auto& notice) { events_.add(notice); },
                                .on_removal = [this](const auto& entry) { events_.add(entry); }},
                      .memory_bytes = 512 * ashmemo::KiB}) {
    articles_.cache_calculation("summary", {});
    articles_.cache_calculation("score", {.ttl = std::chrono::seconds(2)});
  }

  /// Loads pages of articles. Articles with a low id are more popular.
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
  [[nodiscard]] Snapshot snapshot() const {
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
    } catch (const ashmemo::Error&) {  // health() shows that the file cannot be written
    }
  }

 private:
  std::string file_;
  std::mt19937 random_{7};
  Events events_;  // destroyed after the cache, because the cache's thread uses it
  ashmemo::Cache cache_;
  ashmemo::Registry registry_{cache_};
  ashmemo::Resource<Article>& articles_ = registry_.resource<Article>("Article", &Article::id);
  ashmemo::Calculation<Article, std::string> summary_ =
      articles_.calculation("summary", summary_of);
  ashmemo::Calculation<Article, double> score_ = articles_.calculation("score", score_of);
};

/// Waits for Ctrl-C and the other signals that ask a program to end. The program then ends in the
/// normal way and removes its temporary files.
class EndSignals {
 public:
  /// Blocks the signals in this thread and in all threads that it starts later.
  EndSignals() {
    ::sigemptyset(&signals_);
    for (const int one : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals_, one);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  /// Waits until `time`, or until a signal arrives. Returns whether one has arrived.
  [[nodiscard]] bool wait_until(SteadyTime time) const {
    using std::chrono::nanoseconds;
    const nanoseconds left =
        std::max(nanoseconds{0}, nanoseconds{time - std::chrono::steady_clock::now()});
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    timespec length{};
    length.tv_sec = seconds.count();
    length.tv_nsec = (left - seconds).count();
    return ::sigtimedwait(&signals_, nullptr, &length) > 0;
  }

 private:
  sigset_t signals_{};
};

struct Arguments {
  std::string cache_file;
  std::string prometheus_file;
  int frames = 40;
  int milliseconds = 250;
};

void run(const Arguments& arguments) {
  const EndSignals end_signals;  // before the first thread is started
  const example::TemporaryDirectory directory;
  Program program(arguments.cache_file.empty() ? directory.file("articles.cache.db")
                                               : arguments.cache_file);
  Display display;
  SteadyTime next = std::chrono::steady_clock::now();
  for (int frame = 1; frame <= arguments.frames; ++frame) {
    program.work();
    if (frame == arguments.frames) program.flush();  // so that the last frame shows everything
    const Snapshot snapshot = program.snapshot();
    display.show(snapshot, program.events());
    if (!arguments.prometheus_file.empty()) {
      write_atomically(arguments.prometheus_file, to_prometheus(snapshot));
    }
    next += std::chrono::milliseconds(arguments.milliseconds);
    if (end_signals.wait_until(next)) return;
  }
}

}  // namespace
}  // namespace monitoring

int main(int argc, char** argv) {
  CLI::App app("Monitors a cache under a small load.", "monitoring");
  monitoring::Arguments arguments;
  constexpr int kMax = std::numeric_limits<int>::max();
  app.add_option("--cache", arguments.cache_file, "cache file (default: a temporary one)");
  app.add_option("--prometheus", arguments.prometheus_file, "file to replace with each frame");
  app.add_option("--frames", arguments.frames, "number of frames (default: 40)")
      ->check(CLI::Range(1, kMax));
  app.add_option("--every", arguments.milliseconds, "milliseconds per frame (default: 250)")
      ->check(CLI::Range(0, kMax));
  return example::run_program(app, argc, argv, [&] { monitoring::run(arguments); });
}
