#include "bench/pacing_scenario.hpp"

#include "bench/entries.hpp"

namespace ashmemo::bench {
namespace {

constexpr std::chrono::hours kTtl{1};
// Every nth entry never expires.
constexpr std::size_t kPermanentEvery = 11;
// The limit is divided by this.
constexpr std::size_t kReduction = 1'000;

Options options_of(const Limits& limits, const std::shared_ptr<Clock>& clock) {
  Options options;
  options.limits = limits;
  options.hooks.clock = clock;
  return options;
}

Limits limit_of(std::size_t entries) { return {.max_entries = entries, .max_bytes = unlimited}; }

class ExpiringTogether final : public Scenario {
 public:
  explicit ExpiringTogether(std::size_t entries) : Scenario(limits_of_all(), entries) {
    const std::size_t all = entries * kPermanentEvery / (kPermanentEvery - 1);
    fill(cache_, all, kTtl, kPermanentEvery);
    for (std::size_t i = 0; i < all; i += kPermanentEvery) keys_.push_back(key_of(i));
    to_delete_ = static_cast<std::int64_t>(all - keys_.size());
  }
  const char* name() const override { return "expiring together"; }
  void begin() override {
    clock_->jump(2 * kTtl);
    cache_.put("wakes the worker", 1);
  }
  std::int64_t deleted() const override { return cache_.stats().expired; }

 private:
  static Limits limits_of_all() { return {.max_entries = unlimited, .max_bytes = unlimited}; }
};

class LoweredLimit final : public Scenario {
 public:
  explicit LoweredLimit(std::size_t entries)
      : Scenario(limit_of(entries), entries - entries / kReduction) {
    fill(cache_, entries);
    for (std::size_t i = 0; i < entries; ++i) keys_.push_back(key_of(i));
  }
  const char* name() const override { return "lowered limit"; }
  void begin() override { cache_.set_limits(limit_of(keys_.size() / kReduction)); }
  std::int64_t deleted() const override { return cache_.stats().evicted; }
};

}  // namespace

std::int64_t JumpingClock::wall_now() const noexcept { return system_->wall_now() + ahead_; }
std::int64_t JumpingClock::steady_now() const noexcept { return system_->steady_now() + ahead_; }

Scenario::Scenario(const Limits& limits, std::size_t to_delete)
    : cache_(directory_.file("cache.db"), options_of(limits, clock_)),
      to_delete_(static_cast<std::int64_t>(to_delete)) {}

std::unique_ptr<Scenario> expiring_together(std::size_t entries) {
  return std::make_unique<ExpiringTogether>(entries);
}

std::unique_ptr<Scenario> lowered_limit(std::size_t entries) {
  return std::make_unique<LoweredLimit>(entries);
}

}  // namespace ashmemo::bench
