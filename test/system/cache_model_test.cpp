// Random calls of the whole interface, compared with a simple map.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/random.hpp"
#include "system/cache_model.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Makes random calls of one cache and compares the results with a model.
class Run {
 public:
  Run(Random& random, const Options& options, WorkerMode worker)
      : random_(random), f_(options), model_(options.limits.max_entries.is_set()) {
    f_.options.hooks.worker = worker;  // the clock is the manual one in both modes
    f_.options.timing.max_wait = 10min;
    model_.set_time(f_.clock->wall_now());
  }

  void run(int steps) {
    for (step_ = 0; step_ < steps; ++step_) {
      const Step& step = any_step();
      INFO("step " << step_ << ": " << step.name);
      (this->*step.take)();
    }
    (void)f_.run_to_the_end();  // so that the worker is idle during the check
    f_.check_file();
    reopen();
    walk();
  }

 private:
  struct Step {
    unsigned weight;
    const char* name;
    void (Run::*take)();
  };
  static const std::vector<Step> kSteps;

  const Step& any_step() {
    std::size_t sum = 0;
    for (const Step& step : kSteps) sum += step.weight;
    std::size_t at = random_.below(sum);
    auto step = kSteps.begin();
    for (; at >= step->weight; ++step) at -= step->weight;
    return *step;
  }

  bool once_in(std::size_t often) { return random_.below(often) == 0; }
  std::string any_prefix() { return once_in(2) ? "a" : "b"; }
  std::string any_key() { return any_prefix() + std::to_string(random_.below(12)); }
  std::vector<std::string> any_keys() {
    std::vector<std::string> keys(random_.below(8));
    for (std::string& key : keys) key = any_key();
    return keys;
  }

  /// A value that was not used before, and its options.
  std::pair<Kept, PutOptions> any_entry() {
    const std::size_t filling = once_in(20) ? random_.below(6'000) : random_.below(60);
    const std::string value = std::to_string(++last_value_) + std::string(filling, '.');
    Kept kept{value, model_.now()};
    if (once_in(2)) return {kept, {}};
    const auto ttl = static_cast<std::int64_t>(1 + random_.below(20));
    kept.expires_at = kept.computed_at + ttl * 1'000'000;
    return {kept, {.ttl = std::chrono::seconds(ttl)}};
  }

  void put() {
    const std::string key = any_key();
    const auto [kept, options] = any_entry();
    REQUIRE(f_->put(key, kept.value, options));
    model_.put(key, kept);
  }

  void put_many() {
    auto [kept, options] = any_entry();  // all pairs have the same lifetime
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const std::string& key : any_keys()) {
      kept.value = any_entry().first.value;
      pairs.emplace_back(key, kept.value);
      model_.put(key, kept);
    }
    REQUIRE(f_->put_many(pairs, options) == pairs.size());
  }

  void get() {
    const std::string key = any_key();
    model_.expect(key, f_->get<std::string>(key));
  }

  void get_many() {
    const std::vector<std::string> keys = any_keys();
    const auto found = f_->get_many<std::string>(keys);
    REQUIRE(found.size() == keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) model_.expect(keys[i], found[i]);
  }

  void contains() {
    const std::string key = any_key();
    model_.expect(key, f_->contains(key));
  }

  void entry() {
    const std::string key = any_key();
    const auto info = f_->entry(key);
    model_.expect(key, info.has_value());
    if (!info) return;
    REQUIRE(info->computed_at == model_.find(key)->computed_at);
    REQUIRE(info->expires_at.value_or(kNever) == model_.find(key)->expires_at);
    REQUIRE(info->freshness == Freshness::fresh);
  }

  void touch() {
    const std::string key = any_key();
    model_.expect(key, f_->touch(key));
  }

  void get_or_compute() {
    const std::string key = any_key();
    const auto [kept, options] = any_entry();
    bool computed = false;
    const auto compute = [&computed, &fresh = kept.value] {
      computed = true;
      return fresh;
    };
    const std::string value = f_->get_or_compute(key, compute, options);
    model_.expect(key, computed ? std::nullopt : std::optional(value));
    if (!computed) return;
    REQUIRE(value == kept.value);
    model_.put(key, kept);
  }

  void erase() {
    const std::string key = any_key();
    model_.expect(key, f_->erase(key));
    model_.erase(key);
  }

  void erase_many() {
    std::vector<std::string> keys = any_keys();
    const std::size_t erased = f_->erase_many(keys);
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    std::size_t min_erased = 0, max_erased = 0;
    for (const std::string& key : keys) {
      const Kept* const kept = model_.find(key);
      max_erased += kept != nullptr ? 1U : 0U;
      min_erased += kept != nullptr && !kept->may_be_gone ? 1U : 0U;
      model_.erase(key);
    }
    REQUIRE(erased >= min_erased);
    REQUIRE(erased <= max_erased);
  }

  void erase_prefix() {
    const std::string prefix = once_in(2) ? any_prefix() : any_key();
    model_.erase_prefix(prefix, f_->erase_prefix(prefix));
  }

  void clear() { model_.erase_prefix("", f_->clear()); }

  void walk() {
    const std::string prefix = once_in(2) ? "" : any_prefix();
    std::map<std::string, std::string> shown;
    f_->for_each(prefix, [&](const EntryInfo& info, ValueView value) {
      REQUIRE((shown.empty() || info.key > shown.rbegin()->first));
      shown.emplace(info.key, value.bytes());
      REQUIRE(model_.find(info.key) != nullptr);
    });
    for (const std::string& key : model_.keys(prefix)) {
      const auto found = shown.find(key);
      model_.expect(key, found == shown.end() ? std::nullopt : std::optional(found->second));
    }
  }

  void flush() {
    f_->flush();
    const Stats stats = f_->stats();
    REQUIRE(stats.queue_bytes == 0);
    REQUIRE(stats.entries <= static_cast<std::int64_t>(model_.size()));
    REQUIRE(stats.entries <= f_->limits().max_entries.count());
  }

  void run_maintenance() { (void)f_->run_maintenance(Duration()); }
  void compact() { f_->compact(); }
  void check() { REQUIRE(f_->check().ok); }

  void advance() {
    f_.clock->advance(std::chrono::milliseconds(random_.below(6'000)));
    model_.set_time(f_.clock->wall_now());
  }

  void set_back() {
    const auto back = static_cast<std::int64_t>(random_.below(10'000'000));
    f_.clock->set_wall(f_.clock->wall_now() - back);
    model_.set_time(f_.clock->wall_now());
  }

  void reopen() { f_.reopen(); }

  Random& random_;
  CacheFixture f_;
  Model model_;
  std::int64_t last_value_ = 0;
  int step_ = 0;
};

const std::vector<Run::Step> Run::kSteps = {
    {300, "put", &Run::put},
    {40, "put_many", &Run::put_many},
    {200, "get", &Run::get},
    {60, "get_many", &Run::get_many},
    {40, "contains", &Run::contains},
    {40, "entry", &Run::entry},
    {40, "touch", &Run::touch},
    {80, "get_or_compute", &Run::get_or_compute},
    {50, "erase", &Run::erase},
    {20, "erase_many", &Run::erase_many},
    {15, "erase_prefix", &Run::erase_prefix},
    {5, "clear", &Run::clear},
    {30, "walk", &Run::walk},
    {20, "flush", &Run::flush},
    {20, "run_maintenance", &Run::run_maintenance},
    {4, "compact", &Run::compact},
    {4, "check", &Run::check},
    {30, "advance the clock", &Run::advance},
    {8, "set the wall clock back", &Run::set_back},
    {5, "reopen", &Run::reopen},
};

/// Runs the calls with each worker mode, durability and memory size.
void run_all(Random& random, Limits limits, int steps) {
  for (const WorkerMode worker : {WorkerMode::manual, WorkerMode::thread}) {
    for (const Durability durability : {Durability::relaxed, Durability::commit}) {
      for (const std::int64_t memory : {std::int64_t{0}, MiB}) {
        INFO("thread: " << (worker == WorkerMode::thread) << ", "
                        << std::string(to_string(durability)) << ", memory: " << memory);
        const Options options{.limits = limits,
                              .durability = durability,
                              .memory_bytes = memory,
                              .queue_bytes = 64 * KiB};
        Run(random, options, worker).run(steps);
      }
    }
  }
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("random calls of all operations agree with a map") {
    for (const std::uint64_t seed : {1U, 2U}) {
      INFO("seed " << seed);
      Random random(seed);
      run_all(random, {}, 200);
    }
    Random random;
    run_all(random, {}, 200);
  }

  TEST_CASE("random calls with limits find only values that the map has") {
    Random random;
    run_all(random, {.max_entries = 10, .max_bytes = 100'000}, 100);
  }
}
