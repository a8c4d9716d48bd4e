#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <ashmemo/cache.hpp>
#include <nlohmann/json.hpp>

#include "bench/entries.hpp"
#include "bench/program.hpp"
#include "bench/raw_table.hpp"
#include "bench/scratch_directory.hpp"
#include "bench/written_bytes.hpp"
#include "bench/zipf.hpp"

// Measures the cost of recording that entries were read: the bytes that this cache and plain SQLite
// write for the same hits on copies of the same cache file. It counts from the first hit until the
// file is closed, because then all bytes are in the file.

namespace ashmemo::bench {
namespace {

struct Arguments {
  std::size_t entries = 100'000;
  std::size_t hits = 100'000;
  double exponent = 0.99;
  bool json = false;
};

struct Result {
  std::int64_t recorded = 0;  // hits in the access_count of the rows at the end
  std::int64_t touches = 0;
  Written written;
  std::int64_t by_process = 0;
};

using Hits = std::vector<std::size_t>;
// Opens the cache file at `path`, reads or touches the entry of each hit, and closes the file.
using Contestant = std::function<void(const std::string& path, const Hits&, Result&)>;

// Counts the bytes that are written from its constructor to `end`.
class Phase {
 public:
  explicit Phase(const WriteCounter& counter) : counter_(counter) {}
  void end(Result& result) const {
    const Written now = counter_.so_far();
    result.by_process = bytes_written_by_process() - process_;
    result.written = {now.wal - before_.wal, now.file - before_.file};
  }

 private:
  const WriteCounter& counter_;
  const Written before_ = counter_.so_far();
  const std::int64_t process_ = bytes_written_by_process();
};

Contestant raw(const WriteCounter& counter, std::size_t in_a_transaction) {
  return [&counter, in_a_transaction](const std::string& path, const Hits& hits, Result& result) {
    std::optional<RawTable> table(path);
    const Phase phase(counter);
    table->touch(hits, in_a_transaction);
    table.reset();
    phase.end(result);
    result.touches = static_cast<std::int64_t>(hits.size());
  };
}

Contestant cache(const WriteCounter& counter, const Options& options, std::size_t flush_every) {
  return [=, &counter](const std::string& path, const Hits& hits, Result& result) {
    Cache cache(path, options);
    const Phase phase(counter);
    for (std::size_t i = 0; i < hits.size(); ++i) {
      if (i > 0 && i % flush_every == 0) cache.flush();
      if (!cache.get<std::string>(key_of(hits[i]))) throw std::runtime_error("a read missed");
    }
    cache.flush();
    result.touches = cache.stats().touches_written;
    cache.close();
    phase.end(result);
  };
}

Options manual_options() {
  Options options;
  options.timing.touch_interval = Duration();
  options.hooks.worker = WorkerMode::manual;
  return options;
}

class Comparison {
 public:
  explicit Comparison(const Arguments& arguments) : arguments_(arguments) {
    {
      Cache cache(original_);
      fill(cache, arguments.entries);
    }
    Zipf zipf(arguments.entries, arguments.exponent, 1);
    for (std::size_t i = 0; i < arguments.hits; ++i) hits_.push_back(zipf.next());
  }

  void run() {
    print_head();
    add("SQLite, a transaction for each hit", raw(counter_, 1));
    add("SQLite, 1,000 hits in a transaction", raw(counter_, 1'000));
    add("ashmemo, default options", cache(counter_, {}, hits_.size()));
    add("ashmemo, manual, flushed once", cache(counter_, manual_options(), hits_.size()));
    // As if the hits were spread over ten default touch intervals.
    add("ashmemo, manual, flushed ten times",
        cache(counter_, manual_options(), std::max<std::size_t>(hits_.size() / 10, 1)));
  }

 private:
  void add(const char* name, const Contestant& contestant) {
    const std::string path = directory_.file("copy.db");
    for (const char* end : {"", "-wal", "-shm", "-lock"}) std::filesystem::remove(path + end);
    std::filesystem::copy_file(original_, path);
    Result result;
    contestant(path, hits_, result);
    result.recorded = RawTable(path).access_count();
    if (first_ == 0) first_ = result.written.wal;
    print(name, result);
  }

  void print_head() const {
    if (arguments_.json) return;
    fmt::print("{} hits, Zipf({}), on {} entries of {} bytes\n\n", grouped(ssize(hits_)),
               arguments_.exponent, grouped(static_cast<std::int64_t>(arguments_.entries)),
               kValueBytes);
    fmt::print("{:36} {:>13} {:>12} {:>16} {:>7} {:>16} {:>16}\n", "", "hits recorded",
               "rows written", "WAL bytes", "ratio", "file bytes", "by process");
  }

  void print(const char* name, const Result& result) const {
    const auto [wal, file] = result.written;
    if (arguments_.json) {
      const nlohmann::ordered_json json{{"contestant", name},
                                        {"hits", hits_.size()},
                                        {"hits_recorded", result.recorded},
                                        {"rows_written", result.touches},
                                        {"wal_bytes", wal},
                                        {"file_bytes", file},
                                        {"bytes_by_process", result.by_process}};
      fmt::print("{}\n", json.dump());
    } else {
      const double ratio = static_cast<double>(first_) / static_cast<double>(wal);
      fmt::print("{:36} {:>13} {:>12} {:>16} {:>7} {:>16} {:>16}\n", name, grouped(result.recorded),
                 grouped(result.touches), grouped(wal), fmt::format("1/{:.1f}", ratio),
                 grouped(file), grouped(result.by_process));
    }
    std::fflush(stdout);
  }

  const Arguments arguments_;
  const WriteCounter counter_;
  const ScratchDirectory directory_;
  const std::string original_ = directory_.file("original.db");
  Hits hits_;
  std::int64_t first_ = 0;
};

}  // namespace
}  // namespace ashmemo::bench

int main(int argc, char** argv) {
  CLI::App app("Compares the bytes that are written to record reads.", "touches");
  ashmemo::bench::Arguments arguments;
  app.add_option("--entries", arguments.entries, "number of entries in the cache")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--hits", arguments.hits, "number of reads of these entries")
      ->capture_default_str();
  app.add_option("--exponent", arguments.exponent, "exponent of the Zipf distribution")
      ->capture_default_str();
  app.add_flag("--json", arguments.json, "print one JSON object per line instead of the table");
  return ashmemo::bench::run_program(app, argc, argv,
                                     [&] { ashmemo::bench::Comparison(arguments).run(); });
}
