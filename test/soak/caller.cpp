#include "soak/caller.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <utility>

#include "support/keyed_value.hpp"

namespace ashmemo::test {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kReadings = 400;

std::string report_of(const Reading& reading) {
  return "reading " + std::to_string(reading.id) + " at " + std::to_string(reading.level);
}

CachePolicy stale_policy() {
  CachePolicy policy;
  policy.ttl = 200ms;
  policy.stale_while_revalidate = 10s;
  return policy;
}

}  // namespace

Scene::Scene(Cache& open_cache, std::string path_of_backup, Entries given_entries)
    : cache(open_cache),
      backup_path(std::move(path_of_backup)),
      entries(given_entries),
      registry(cache),
      readings(registry.resource<Reading>("Reading", &Reading::id)) {
  readings.record_version(&Reading::level);
  report = readings.calculation("report", report_of);
  square = readings.calculation("square", [](Records<Reading> batch) {
    std::vector<std::int64_t> squares;
    for (const Reading& each : batch) squares.push_back(each.level * each.level);
    return squares;
  });
  readings.cache_calculation("report", {.ttl = 2s});
  readings.cache_calculation("square", stale_policy());
}

const std::array<Caller::Step, 16> Caller::kFrequent{
    &Caller::get_own,  &Caller::put_own,    &Caller::erase_own, &Caller::get_own,
    &Caller::put_own,  &Caller::get_shared, &Caller::get_many,  &Caller::put_shared,
    &Caller::put_many, &Caller::compute,    &Caller::inspect,   &Caller::compute_many,
    &Caller::touch,    &Caller::load,       &Caller::load_one,  &Caller::read_cached};

const std::array<Caller::Step, 12> Caller::kRare{&Caller::erase_prefix,
                                                 &Caller::clear,
                                                 &Caller::flush,
                                                 &Caller::maintain,
                                                 &Caller::change_limits,
                                                 &Caller::compact,
                                                 &Caller::check,
                                                 &Caller::back_up,
                                                 &Caller::invalidate_one,
                                                 &Caller::invalidate_record,
                                                 &Caller::invalidate_calculation,
                                                 &Caller::invalidate_resource};

Caller::Caller(Scene& scene, unsigned number)
    : scene_(scene), prefix_("own" + std::to_string(number) + ':'), random_(number) {}

void Caller::step() {
  const std::size_t dice = below(1'000);
  if (dice == 0) {
    (this->*kRare[below(kRare.size())])();
  } else if (dice < 10) {
    erase_many();
  } else if (dice < 13) {
    walk();
  } else {
    (this->*kFrequent[below(kFrequent.size())])();
  }
  ++scene_.steps;
}

std::string Caller::new_value(const std::string& key) {
  const std::size_t bytes = below(50) == 0 ? below(60'000) : below(300);
  return value_of(key, static_cast<std::uint32_t>(random_()), bytes);
}

std::vector<std::string> Caller::shared_keys() {
  std::vector<std::string> keys;
  for (std::size_t i = below(60); i > 0; --i) keys.push_back(shared_key());
  return keys;
}

std::vector<Reading> Caller::page() {
  std::vector<Reading> page;
  for (std::size_t i = below(40); i > 0; --i) {
    const auto id = static_cast<std::int64_t>(below(kReadings));
    page.push_back({id, id * 10 + static_cast<std::int64_t>(below(2))});
  }
  return page;
}

void Caller::check_value(const std::string& key, const std::optional<std::string>& value) {
  if (value && !is_value_of(key, *value)) wrong();
}

void Caller::check_own() {
  for (std::size_t i = 0; i < kOwnKeys; ++i) check_own(i);
}

void Caller::check_own(std::size_t number) {
  const Own& own = own_[number];
  const auto value = scene_.cache.get<std::string>(prefix_ + std::to_string(number));
  asks(1);
  if (!value) {
    if (own.is_kept && scene_.entries == Entries::remain) wrong();
    return;
  }
  if (std::find(own.values.begin(), own.values.end(), *value) == own.values.end()) wrong();
}

void Caller::get_own() { check_own(below(kOwnKeys)); }

void Caller::put_own() {
  const std::size_t i = below(kOwnKeys);
  const std::string key = prefix_ + std::to_string(i);
  std::string value = new_value(key);
  Own& own = own_[i];
  own.is_kept = scene_.cache.put(key, value);
  if (own.is_kept) own.values.clear();
  own.values.push_back(std::move(value));
}

void Caller::erase_own() {
  const std::size_t i = below(kOwnKeys);
  (void)scene_.cache.erase(prefix_ + std::to_string(i));
  own_[i] = {};
}

void Caller::get_shared() {
  const std::string key = shared_key();
  check_value(key, scene_.cache.get<std::string>(key));
  asks(1);
}

void Caller::get_many() {
  const auto keys = shared_keys();
  const auto values = scene_.cache.get_many<std::string>(keys);
  asks(keys.size());
  if (values.size() != keys.size()) return wrong();
  for (std::size_t i = 0; i < keys.size(); ++i) check_value(keys[i], values[i]);
}

void Caller::put_shared() {
  const std::string key = shared_key();
  PutOptions options;
  if (below(3) == 0) options.ttl = std::chrono::milliseconds(50 + below(2'000));
  (void)scene_.cache.put(key, new_value(key), options);
}

void Caller::put_many() {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::string& key : shared_keys()) {
    std::string value = new_value(key);
    pairs.emplace_back(std::move(key), std::move(value));
  }
  if (scene_.cache.put_many(pairs) > pairs.size()) wrong();
}

void Caller::compute() {
  const std::string key = shared_key();
  check_value(key, scene_.cache.get_or_compute(key, [&] { return new_value(key); }));
  asks(1);
}

void Caller::compute_many() {
  const auto keys = shared_keys();
  const auto values = scene_.cache.get_or_compute_many<std::string>(
      keys, [&](std::span<const std::string_view> missing) {
        std::vector<std::string> computed;
        for (const std::string_view key : missing) computed.push_back(new_value(std::string(key)));
        return computed;
      });
  asks(keys.size());
  if (values.size() != keys.size()) return wrong();
  for (std::size_t i = 0; i < keys.size(); ++i) check_value(keys[i], values[i]);
}

void Caller::inspect() {
  const std::string key = shared_key();
  if (const auto entry = scene_.cache.entry(key); entry && entry->key != key) wrong();
  (void)scene_.cache.contains(key);
  if (scene_.cache.stats().queue_bytes < 0) wrong();
  if (scene_.cache.health().state == HealthState::unavailable) wrong();
}

void Caller::touch() {
  const auto keys = shared_keys();
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  if (scene_.cache.touch_many(views) > views.size()) wrong();
}

void Caller::erase_many() { (void)scene_.cache.erase_many(shared_keys()); }

void Caller::load() {
  const auto records = page();
  const auto [reports, squares] = scene_.readings.load(records, scene_.report, scene_.square);
  asks(2 * records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (reports[i] != report_of(records[i])) wrong();
    if (squares[i] != records[i].level * records[i].level) wrong();
  }
}

void Caller::load_one() {
  const Reading one{static_cast<std::int64_t>(below(kReadings)), 7};
  if (scene_.report(one) != report_of(one)) wrong();
  asks(1);
}

void Caller::read_cached() {
  const auto records = page();
  const auto cached = scene_.square.cached(records);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (cached[i] && *cached[i] != records[i].level * records[i].level) wrong();
  }
  (void)scene_.report.warm(records);
  asks(records.size());
  (void)scene_.square.stats();
}

void Caller::walk() {
  scene_.cache.for_each("s1", [this](const EntryInfo& entry, ValueView value) {
    check_value(entry.key, std::string(value.bytes()));
  });
}

void Caller::erase_prefix() { (void)scene_.cache.erase_prefix("s2"); }
void Caller::clear() {
  if (scene_.entries == Entries::may_disappear) (void)scene_.cache.clear();
}
void Caller::flush() { scene_.cache.flush(); }
void Caller::maintain() { (void)scene_.cache.run_maintenance(1ms); }

void Caller::change_limits() {
  if (scene_.entries == Entries::remain) return;
  Limits limits = scene_.cache.limits();
  limits.max_entries = below(2) == 0 ? Limit(2'000) : Limit(unlimited);
  scene_.cache.set_limits(limits);
}

void Caller::compact() { scene_.cache.compact(); }

// check() throws store_failed if a backup keeps it waiting for longer than max_wait.
void Caller::check() {
  try {
    if (!scene_.cache.check().ok) wrong();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::store_failed) throw;
  }
}

void Caller::back_up() {
  if (scene_.is_backing_up.exchange(true)) return;
  scene_.cache.backup(scene_.backup_path);
  std::filesystem::remove(scene_.backup_path);
  scene_.is_backing_up = false;
}

void Caller::invalidate_one() {
  scene_.report.invalidate(Reading{static_cast<std::int64_t>(below(kReadings)), 0});
}
void Caller::invalidate_record() {
  scene_.readings.invalidate(Reading{static_cast<std::int64_t>(below(kReadings)), 0});
}
void Caller::invalidate_calculation() { scene_.square.invalidate_all(); }
void Caller::invalidate_resource() { scene_.readings.invalidate_all(); }

}  // namespace ashmemo::test
