#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "bench/suite/bench.hpp"
#include "bench/suite/system_ashmemo.hpp"

// Costs and benefits of single options: the same work on caches that differ in one option.

namespace ashmemo::bench {
namespace {

struct Setting {
  const char* name;  // printed in the column of the system
  void (*apply)(Options& options);
};

constexpr std::array kForReads{
    Setting{"memory 16 MiB", [](Options& options) { options.memory_bytes = 16 * MiB; }},
    Setting{"memory 0", [](Options& options) { options.memory_bytes = 0; }},
    Setting{"memory 64 MiB", [](Options& options) { options.memory_bytes = 64 * MiB; }},
    Setting{"0, reader 64 MiB",
            [](Options& options) {
              options.memory_bytes = 0;
              options.reader_cache_bytes = 64 * MiB;
            }},
};

// These have no memory tier, so that each read goes to the file.
void remember(Options& options, std::int64_t hint_bytes) {
  options.memory_bytes = 0;
  options.hint_bytes = hint_bytes;
}

constexpr std::array kForFileReads{
    Setting{"hints 4 MiB", [](Options& options) { remember(options, 4 * MiB); }},
    Setting{"hints 0", [](Options& options) { remember(options, 0); }},
    Setting{"hints 16 MiB", [](Options& options) { remember(options, 16 * MiB); }},
};

constexpr std::array kForPuts{
    Setting{"relaxed", [](Options& options) { options.durability = Durability::relaxed; }},
    Setting{"commit", [](Options& options) { options.durability = Durability::commit; }},
    Setting{"power", [](Options& options) { options.durability = Durability::power; }},
};

constexpr std::array kForBatches{
    Setting{"writer 8 MiB", [](Options& options) { options.writer_cache_bytes = 8 * MiB; }},
    Setting{"writer 64 MiB", [](Options& options) { options.writer_cache_bytes = 64 * MiB; }},
    Setting{"erase_securely", [](Options& options) { options.erase_securely = true; }},
    Setting{"power", [](Options& options) { options.durability = Durability::power; }},
};

/// A cache on a copy of the filled file.
class Tuned {
 public:
  Tuned(Bench& bench, const Setup& setup, const Setting& setting)
      : name_(setting.name),
        directory_(bench.files().copy(kAshmemo, setup.entries)),
        options_(options(setup, setting)),
        cache_(cache_file(directory_->path()), options_) {}

  [[nodiscard]] const char* name() const { return name_; }
  [[nodiscard]] Durability durability() const { return options_.durability; }
  Cache* operator->() { return &cache_; }

 private:
  static Options options(const Setup& setup, const Setting& setting) {
    Options options = cache_options(setup);
    setting.apply(options);
    return options;
  }

  const char* const name_;
  const std::unique_ptr<ScratchDirectory> directory_;
  const Options options_;
  Cache cache_;
};

Lane reads(Tuned& tuned, const Setup& setup) {
  return {.system = tuned.name(),
          .operations = kBlock,
          .block = [&tuned, block = KeyBlock(zipf(setup.entries), kBlock),
                    bytes = setup.value_bytes]() mutable {
            const auto keys = block.next();
            std::size_t right = 0;
            const Nanoseconds took = timed([&] {
              for (const std::string_view key : keys) {
                const auto value = tuned->get<std::string>(key);
                right += value && is_right(key, *value, bytes) ? 1U : 0U;
              }
            });
            require(right == keys.size(), "an entry is missing or wrong");
            return took;
          }};
}

/// One put at a time, each timed until it returns.
Lane puts(Tuned& tuned, const Setup& setup) {
  const auto block = std::make_shared<PairBlock>(uniform(setup.entries), 1, setup.value_bytes);
  return {.system = tuned.name(),
          .survives = survives(tuned.durability()),
          .block =
              [&tuned, block] {
                const Pair& pair = block->next().front();
                return timed([&] {
                  require(tuned->put(pair.first, pair.second), "ashmemo did not accept a value");
                });
              },
          .after_turn = [&tuned] { tuned->flush(); }};
}

Lane batches(Tuned& tuned, const Setup& setup) {
  const auto block = std::make_shared<PairBlock>(uniform(setup.entries), kBatch, setup.value_bytes);
  return {.system = tuned.name(),
          .operations = kBatch,
          .survives = std::max(survives(tuned.durability()), Survives::process_crash),
          .block = [&tuned, block] {
            const auto pairs = block->next();
            return timed([&] {
              (void)tuned->put_many(pairs);
              tuned->flush();
            });
          }};
}

void compare(Bench& bench, const char* work, By by, std::span<const Setting> settings,
             Lane (*lane)(Tuned& tuned, const Setup& setup)) {
  const Setup setup = bench.setup(bench.settings().entries);
  std::vector<std::unique_ptr<Tuned>> all;
  std::vector<Lane> lanes;
  for (const Setting& setting : settings) {
    all.push_back(std::make_unique<Tuned>(bench, setup, setting));
    lanes.push_back(lane(*all.back(), setup));
  }
  warm_up(lanes, bench.settings().seconds);
  Row like = bench.row("tuning", work, "", setup.entries);
  like.by = by;
  bench.measure_rows(like, lanes, bench.rounds());
}

}  // namespace

void tuning(Bench& bench) {
  compare(bench, "get, Zipf(0.99)", By::mean, kForReads, reads);
  compare(bench, "get, Zipf(0.99), no tier", By::mean, kForFileReads, reads);
  compare(bench, "put, one by one", By::median, kForPuts, puts);
  compare(bench, "put_many of 1,000", By::mean, kForBatches, batches);
}

}  // namespace ashmemo::bench
