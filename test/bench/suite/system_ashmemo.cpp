#include "bench/suite/system_ashmemo.hpp"

#include <algorithm>

#include "bench/entries.hpp"
#include "bench/suite/system.hpp"

namespace ashmemo::bench {
namespace {

// Both enums have the same order.
static_assert(static_cast<int>(Durability::relaxed) == static_cast<int>(Survives::nothing));
static_assert(static_cast<int>(Durability::commit) == static_cast<int>(Survives::process_crash));
static_assert(static_cast<int>(Durability::power) == static_cast<int>(Survives::power_cut));

class CacheReader final : public Reader {
 public:
  explicit CacheReader(Cache& cache) : cache_(cache) {}

  std::optional<std::string> get(std::string_view key) override {
    return cache_.get<std::string>(key);
  }
  Values get_many(std::span<const std::string_view> keys) override {
    return cache_.get_many<std::string>(keys);
  }

 private:
  Cache& cache_;
};

class CacheSystem final : public System {
 public:
  CacheSystem(const std::string& directory, const Setup& setup)
      : cache_(cache_file(directory), cache_options(setup)) {}

  std::unique_ptr<Reader> reader() override { return std::make_unique<CacheReader>(cache_); }
  void put(const std::string& key, const std::string& value) override {
    require(cache_.put(key, value, {.ttl = kTtl}), "ashmemo did not accept a value");
  }
  void put_many(std::span<const Pair> pairs) override {
    require(cache_.put_many(pairs, {.ttl = kTtl}) == pairs.size(),
            "ashmemo did not accept a value");
  }
  void flush() override { cache_.flush(); }
  void touch(const std::string& key) override { cache_.touch(key); }
  std::int64_t count() override { return cache_.stats().entries; }
  std::int64_t commits() override { return cache_.stats().commits; }

 private:
  Cache cache_;
};

std::unique_ptr<System> open(const std::string& directory, const Setup& setup) {
  return std::make_unique<CacheSystem>(directory, setup);
}

}  // namespace

std::string cache_file(const std::string& directory) { return directory + "/cache.db"; }

Survives survives(Durability durability) { return static_cast<Survives>(durability); }

Options cache_options(const Setup& setup) {
  Options options;
  options.limits.max_bytes = unlimited;
  if (setup.evicting) options.limits.max_entries = setup.entries;
  options.reader_cache_bytes = setup.page_cache_bytes;
  options.writer_cache_bytes = 2 * setup.page_cache_bytes;
  // A put waits for space in the queue and is not dropped. Dropped work would look fast.
  options.timing.max_wait = std::chrono::minutes(1);
  options.durability = static_cast<Durability>(setup.survives);
  if (setup.tier_bytes) options.memory_bytes = *setup.tier_bytes;
  return options;
}

std::int64_t tier_for_all(const Setup& setup) {
  constexpr std::size_t overhead = 400;
  return static_cast<std::int64_t>(2 * setup.entries * (setup.value_bytes + overhead));
}

std::int64_t tier_for_a_tenth(const Setup& setup) {
  const std::size_t each = setup.value_bytes + key_of(setup.entries).size();
  // 64 KiB is the smallest tier. Only a smoke run is that small.
  return std::max(static_cast<std::int64_t>(setup.entries * each / 10), 64 * KiB);
}

const SystemType kAshmemo{
    "ashmemo",
    open,
    true,
    true,
    Survives::nothing,
    Survives::power_cut,
    "defaults, except max_bytes unlimited and max_wait 1 min; durability `relaxed`, or\n"
    "`commit` and `power` in the rows \"each in the file\" and \"synced\""};

}  // namespace ashmemo::bench
