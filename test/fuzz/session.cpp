#include "fuzz/session.hpp"

#include <algorithm>
#include <ashmemo/ashmemo.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include "fuzz/require.hpp"
#include "fuzz/scratch.hpp"

namespace ashmemo::fuzz {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

ManualClock& session_clock() {
  static const auto clock = std::make_shared<ManualClock>();
  return *clock;
}

struct Record {
  std::int64_t id = 0;
};

bool is_key(std::string_view key) {
  return !key.empty() && key.size() <= kMaxKeyBytes && key.find('\0') == std::string_view::npos;
}

// The keys that for_each visits. The walk must end, even if a b-tree in the file has a loop.
std::vector<std::string> keys_of(const Cache& cache) {
  constexpr int max_entries = 5'000;
  int visited = 0;
  std::vector<std::string> keys{"text", "integer", "large", "key 5", "key 299", "missing"};
  cache.for_each("", [&](const EntryInfo& entry, ValueView) {
    require(++visited < max_entries, "for_each ends");
    if (is_key(entry.key)) keys.push_back(entry.key);
  });
  return keys;
}

template <class... T>
void get_as(const Cache& cache, const std::vector<std::string>& keys) {
  ((void)cache.get_many<T>(keys), ...);
}

void read_all(const Cache& cache) {
  std::vector<std::string> keys = keys_of(cache);
  get_as<std::string, std::int64_t, double, bool, std::vector<std::byte>, std::optional<int>>(cache,
                                                                                              keys);
  keys.resize(std::min<std::size_t>(keys.size(), 12));
  for (const std::string& key : keys) {
    (void)cache.get<std::string>(key);
    (void)cache.entry(key);
    (void)cache.contains(key);
  }
  (void)cache.stats();
  (void)cache.health();
  (void)cache.calculations();
}

// Administration may fail because of the file, but only with store_failed.
template <class Call>
void may_fail(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    require(error.code() == ErrorCode::store_failed, "administration fails with store_failed");
  }
}

void write_and_remove(Cache& cache) {
  if (cache.put("fuzz:new", 7)) {
    require(cache.get<int>("fuzz:new") == 7, "a put value can be read");
  } else {
    require(cache.health().state != HealthState::ok, "only a broken store refuses a put");
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < 30; ++i)
    pairs.emplace_back("fuzz:" + std::to_string(i), std::string(300, 'f'));
  (void)cache.put_many(pairs);
  (void)cache.put("large", std::string(20'000, 'y'));
  (void)cache.touch("text");
  (void)cache.touch_many({"text", "key 5", "large"});
  (void)cache.get_or_compute("key 5", [] { return std::string("five"); });
  (void)cache.erase_many({"key 7", "key 8", "missing"});
  require(!cache.contains("key 7"), "an erased entry is not found");
  (void)cache.erase("integer");
  require(!cache.contains("integer"), "an erased entry is not found");
  (void)cache.erase_prefix("key 1");
  load_calculations(cache);
}

void administrate(Cache& cache) {
  may_fail([&] { cache.flush(); });
  may_fail([&] { (void)cache.check(); });
  cache.set_limits({.max_entries = 20});
  may_fail([&] { cache.flush(); });
  cache.run_maintenance();
  may_fail([&] { cache.backup(cache_path() + ".copy"); });
  may_fail([&] { cache.compact(); });
}

// The cache must quarantine a corrupt file and continue with a new one.
void recover(Cache& cache) {
  constexpr int max_rounds = 20;
  for (int round = 0; round < max_rounds; ++round) {
    (void)cache.put("fuzz:again", round);
    (void)cache.run_maintenance(hours(1));
    if (cache.health().state == HealthState::ok) return;
    session_clock().advance(minutes(10));
  }
  const Health health = cache.health();
  std::fprintf(stderr, "%s: %s\n", std::string(to_string(health.state)).c_str(),
               health.last_error.c_str());
  require(false, "the cache recovers");
}

void read_only_session() {
  Options options = session_options();
  options.access = Access::read_only;
  options.when_unavailable = WhenUnavailable::throw_error;
  try {
    const Cache cache(cache_path(), options);
    read_all(cache);
  } catch (const Error&) {
  }
}

void use(Cache& cache) {
  read_all(cache);
  write_and_remove(cache);
  session_clock().advance(minutes(2));
  administrate(cache);
  recover(cache);
  read_all(cache);
  (void)cache.clear();
}

}  // namespace

Options session_options() {
  Options options;
  options.hooks.clock = std::shared_ptr<Clock>(std::shared_ptr<Clock>(), &session_clock());
  options.hooks.worker = WorkerMode::manual;
  options.memory_bytes = 64 * KiB;
  options.reader_cache_bytes = 256 * KiB;
  options.writer_cache_bytes = 256 * KiB;
  options.hint_bytes = 64 * KiB;
  return options;
}

void load_calculations(Cache& cache) {
  Registry registry(cache);
  auto& records = registry.resource<Record>("Record", &Record::id);
  const auto twice = records.calculation("twice", [](const Record& each) { return 2 * each.id; });
  const auto plus =
      records.calculation("plus", [](const Record& each, int more) { return each.id + more; });
  records.cache_calculation("twice", {.ttl = hours(1)});
  records.cache_calculation("plus", {.ttl = minutes(1), .stale_if_error = hours(1)});
  const std::vector<Record> page{{1}, {2}, {3}};
  require(twice(page) == std::vector<std::int64_t>{2, 4, 6}, "a load returns the computed results");
  require(plus(page[0], 3) == 4, "a call returns the computed result");
  (void)plus.cached(page, 3);
  (void)plus.warm(page, 3);
  twice.invalidate(page[0]);
  require(!twice.cached(page[0]), "an invalidated result is not found");
  plus.invalidate_all();
  records.invalidate(page[1]);
  require(!twice.cached(page[1]), "an invalidated result is not found");
  (void)twice.stats();
}

void use_the_cache() {
  read_only_session();
  const std::string before = read_file(cache_path());
  try {
    Cache cache(cache_path(), session_options());
    use(cache);
  } catch (const Error& error) {
    require(error.code() == ErrorCode::not_a_cache, "open fails only with not_a_cache");
    require(read_file(cache_path()) == before, "a refused file is not changed");
  }
}

}  // namespace ashmemo::fuzz
