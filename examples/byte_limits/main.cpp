// A limit in bytes is a promise about the disk: a cache that may keep 8 MiB, and have 1 MiB of it
// in memory too, is given ten times as much; then a lower limit while it is open, and one in
// entries beside it. Prints (how SQLite fills a file is its own affair, so the bytes of file and
// log may differ):
//
// == begin
// 83,886,080 bytes of values; room for 8,388,608 in the file, 1,048,576 in memory
//
//                          -------------- bytes --------------
//   written      entries   byte_size  file and log   in memory  oldest
//   8 MiB            725   8,353,589    12,877,824     865,376  measurement:00078
//   16 MiB           729   8,310,872    12,943,360     862,184  measurement:00881
//   24 MiB           702   8,322,619    12,943,360     857,512  measurement:01681
//   32 MiB           704   8,318,687    13,008,896     848,960  measurement:02454
//   40 MiB           696   8,319,288    13,008,896     846,024  measurement:03218
//   48 MiB           705   8,317,749    13,008,896     842,376  measurement:03990
//   56 MiB           714   8,317,230    13,008,896     859,728  measurement:04768
//   64 MiB           708   8,316,066    13,008,896     842,936  measurement:05553
//   72 MiB           721   8,311,521    13,008,896     863,976  measurement:06336
//   80 MiB           713   8,315,010    13,008,896     853,648  measurement:07142
//
// 7,855 written, 7,142 left, each the oldest then
// on the disk at most           13,066,464
// promised: less than           27,305,708  (1.25 x limit + 16 MiB + 2 x 21,366)
//
// Room for 2,097,152 in the file from now on; then for 100 entries, too
//
//                          -------------- bytes --------------
//                entries   byte_size  file and log   in memory  oldest
//   before           713   8,315,010    13,008,896     853,648  measurement:07142
//   max_bytes        174   2,077,485    13,008,896     853,648  measurement:07681
//   worker done      174   2,077,485     3,571,712     853,648  measurement:07681
//   compact()        174   2,077,485     3,244,032     853,648  measurement:07681
//   max_entries      100   1,216,431     3,244,032     853,648  measurement:07755
// == end

#include <ashmemo/ashmemo.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include "../arguments.hpp"
#include "../grouped.hpp"
#include "../temporary_directory.hpp"

namespace byte_limits {
namespace {

using ashmemo::KiB;
using ashmemo::MiB;
using example::grouped;

constexpr std::int64_t kMaxBytes = 8 * MiB;
constexpr std::int64_t kLowered = 2 * MiB;
constexpr std::int64_t kMaxEntries = 100;
constexpr std::int64_t kMemoryBytes = 1 * MiB;
constexpr std::int64_t kTotal = 10 * kMaxBytes;  // of values
constexpr int kRows = 10;
constexpr std::int64_t kAtOnce = 32;  // puts that share a commit

/// What the file and the two others that SQLite keeps beside it take on the disk.
std::int64_t bytes_on_disk(const std::string& file) {
  std::int64_t sum = 0;
  for (const char* suffix : {"", "-wal", "-shm"}) {
    std::error_code missing;
    const std::uintmax_t bytes = std::filesystem::file_size(file + suffix, missing);
    if (!missing) sum += static_cast<std::int64_t>(bytes);
  }
  return sum;
}

/// What README.md promises.
constexpr std::int64_t promised(std::int64_t max_bytes, std::int64_t largest_entry) {
  return max_bytes / 4 * 5 + 16 * MiB + 2 * largest_entry;
}

void check(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error(std::string(what));
}

/// Measurements of 1 to 20 KiB, one after the other; the oldest leave to make room.
class Measurements {
 public:
  explicit Measurements(const std::string& file) : file_(file), cache_(file, options()) {}

  void write_next() {
    const std::int64_t number = written_++;
    const std::string key = key_of(number);
    const std::string value = value_of(number, 1 * KiB + random_() % (19 * KiB + 1));
    check(cache_.put(key, value), key + " was not taken");
    written_bytes_ += std::ssize(value);
    largest_entry_ = std::max(largest_entry_, cache_.entry(key).value().byte_size);
    watch_disk();
    if (written_ % kAtOnce != 0) return;
    flush();
    read_recent();
  }
  /// In manual mode this is what the worker does: it commits, and holds the limits.
  void flush() {
    cache_.flush();
    watch_disk();
  }
  void set_limits(const ashmemo::Limits& limits) {
    cache_.set_limits(limits);
    flush();
  }
  /// The pages that became free are given back in slices, between other work.
  void let_worker_work() {
    while (cache_.run_maintenance()) watch_disk();
  }
  void compact() { cache_.compact(); }

  [[nodiscard]] std::int64_t written() const { return written_; }
  [[nodiscard]] std::int64_t written_bytes() const { return written_bytes_; }
  [[nodiscard]] std::int64_t largest_entry() const { return largest_entry_; }
  [[nodiscard]] std::int64_t most_on_disk() const { return most_on_disk_; }
  [[nodiscard]] std::int64_t left() const { return left_; }
  [[nodiscard]] ashmemo::Stats stats() const { return cache_.stats(); }
  /// All that the file and its log take.
  [[nodiscard]] std::int64_t on_disk() const { return bytes_on_disk(file_); }
  /// Keys are in the order of writing, so the first one is the oldest.
  [[nodiscard]] std::string oldest() const {
    std::string key;
    cache_.for_each("measurement:", [&](const ashmemo::EntryInfo& entry) {
      key = entry.key;
      return false;
    });
    return key;
  }

 private:
  ashmemo::Options options() {
    return {
        .limits = {.max_bytes = kMaxBytes},
        .hooks = {.clock = std::make_shared<ashmemo::ManualClock>(),
                  .on_removal = [this](const ashmemo::Removal& removal) { see_leaving(removal); },
                  .worker = ashmemo::WorkerMode::manual},
        .eviction = ashmemo::Eviction::fifo,
        .memory_bytes = kMemoryBytes,
    };
  }
  static std::string key_of(std::int64_t number) {
    return fmt::format("measurement:{:05}", number);
  }
  static std::string value_of(std::int64_t number, std::size_t bytes) {
    return std::string(bytes, static_cast<char>('a' + number % 26));
  }
  /// Under fifo they leave one after the other, in the order of writing.
  void see_leaving(const ashmemo::Removal& removal) {
    check(removal.cause == ashmemo::RemovalCause::evicted && removal.key == key_of(left_),
          std::string(removal.key) + " left, and not the oldest");
    ++left_;
    watch_disk();
  }
  void watch_disk() { most_on_disk_ = std::max(most_on_disk_, on_disk()); }
  /// What is read is copied to memory, where there is room for the last ones only.
  void read_recent() {
    for (std::int64_t number = written_ - kAtOnce; number < written_; ++number) {
      const auto value = cache_.get<std::string>(key_of(number));
      check(value && *value == value_of(number, value->size()), key_of(number) + " is wrong");
    }
  }

  std::string file_;
  std::mt19937_64 random_{7};  // seeded: the standard says what it answers, on any machine
  std::int64_t written_ = 0;
  std::int64_t written_bytes_ = 0;
  std::int64_t largest_entry_ = 0;
  std::int64_t most_on_disk_ = 0;
  std::int64_t left_ = 0;
  ashmemo::Cache cache_;
};

void show_head(std::string_view first) {
  fmt::print("{:25}-------------- bytes --------------\n", "");
  fmt::print("  {:<12}{:>8}{:>12}{:>14}{:>12}  {}\n", first, "entries", "byte_size", "file and log",
             "in memory", "oldest");
}

void show_row(std::string_view first, const Measurements& measurements) {
  const ashmemo::Stats stats = measurements.stats();
  fmt::print("  {:<12}{:>8}{:>12}{:>14}{:>12}  {}\n", first, grouped(stats.entries),
             grouped(stats.bytes), grouped(measurements.on_disk()), grouped(stats.memory_bytes),
             measurements.oldest());
  check(stats.memory_bytes <= kMemoryBytes, "more in memory than memory_bytes");
}

void fill(Measurements& measurements) {
  fmt::print("{} bytes of values; room for {} in the file, {} in memory\n\n", grouped(kTotal),
             grouped(kMaxBytes), grouped(kMemoryBytes));
  show_head("written");
  for (int row = 1; row <= kRows; ++row) {
    while (measurements.written_bytes() < kTotal / kRows * row) measurements.write_next();
    measurements.flush();
    show_row(fmt::format("{} MiB", measurements.written_bytes() / MiB), measurements);
    check(measurements.stats().bytes <= kMaxBytes, "more in the file than max_bytes");
  }
}

void show_promise(const Measurements& measurements) {
  const ashmemo::Stats stats = measurements.stats();
  check(measurements.left() == stats.evicted, "an eviction was not told");
  check(stats.entries + stats.evicted == measurements.written(), "an entry was lost");
  fmt::print("\n{} written, {} left, each the oldest then\n", grouped(measurements.written()),
             grouped(measurements.left()));
  const std::int64_t most = promised(kMaxBytes, measurements.largest_entry());
  fmt::print("on the disk at most         {:>12}\n", grouped(measurements.most_on_disk()));
  fmt::print("promised: less than         {:>12}  (1.25 x limit + 16 MiB + 2 x {})\n",
             grouped(most), grouped(measurements.largest_entry()));
  check(measurements.most_on_disk() < most, "more on the disk than promised");
}

void lower(Measurements& measurements) {
  fmt::print("\nRoom for {} in the file from now on; then for {} entries, too\n\n",
             grouped(kLowered), grouped(kMaxEntries));
  show_head("");
  show_row("before", measurements);
  measurements.set_limits({.max_bytes = kLowered});
  show_row("max_bytes", measurements);
  check(measurements.stats().bytes <= kLowered, "more in the file than the new max_bytes");
  measurements.let_worker_work();
  show_row("worker done", measurements);
  measurements.compact();
  show_row("compact()", measurements);
  check(measurements.on_disk() < promised(kLowered, measurements.largest_entry()),
        "more on the disk than promised");
  // Both limits hold at once: what passes one of them leaves.
  measurements.set_limits({.max_entries = kMaxEntries, .max_bytes = kLowered});
  show_row("max_entries", measurements);
  check(measurements.stats().entries == kMaxEntries, "not as many entries as there is room for");
}

void run(const std::string& file) {
  Measurements measurements(file);
  fill(measurements);
  show_promise(measurements);
  lower(measurements);
}

}  // namespace
}  // namespace byte_limits

int main(int argc, char** argv) {
  const auto refused = example::refuse_arguments(
      argc, argv, "byte_limits: a cache whose size on the disk is limited");
  if (refused) return *refused;
  try {
    const example::TemporaryDirectory directory;
    byte_limits::run(directory.file("measurements.cache.db"));
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "byte_limits: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
