#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "tier_fixture.hpp"

// Readers fill the entries that they miss while other threads change them. These tests are also
// meant for ThreadSanitizer and AddressSanitizer.

using namespace ashmemo;
using memory::MemoryTier;
using memory::TierChange;
using memory::TierCopy;
using test::TierFixture;

namespace {

constexpr int kKeys = 40;

/// Returns a text of irregular length. A reader can check that it is whole.
std::string text_of(std::int64_t number) {
  const std::string digits = std::to_string(number) + ' ';
  std::string text;
  const auto size = static_cast<std::size_t>(number * 7919 % (number % 9 == 0 ? 6'000 : 300));
  while (text.size() <= size) text += digits;
  return text;
}

/// Simulates a file with one number for each key. Numbers only grow, and readers must not see them
/// decrease.
class Race {
 public:
  explicit Race(std::int64_t bytes) : tier_(memory::make_memory_tier(bytes)) {}

  void run(int readers, int writers, int reads) {
    std::vector<std::thread> threads;
    std::atomic<int> reading{readers};
    for (int i = 0; i < readers; ++i) {
      threads.emplace_back([this, i, reads, &reading] {
        std::mt19937 random(static_cast<std::uint32_t>(i));
        for (int n = 0; n < reads; ++n) read(static_cast<int>(random() % kKeys));
        --reading;
      });
    }
    for (int i = 0; i < writers; ++i) {
      threads.emplace_back([this, i, writers, &reading] {
        // Each writer has its own keys, so that the numbers of a key only grow.
        for (int n = i; reading > 0; n = (n + writers) % (kKeys * 50)) {
          n % 401 == 0 ? change_all() : change(n / 10 % kKeys / writers * writers + i);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  [[nodiscard]] std::int64_t hits() const { return hits_; }
  [[nodiscard]] std::int64_t torn() const { return torn_; }
  [[nodiscard]] std::int64_t old() const { return old_; }

 private:
  static std::string key_of(int key) {
    return "key " + std::string(static_cast<std::size_t>(key % 3) * 30, '_') + std::to_string(key);
  }

  void read(int key) {
    const std::int64_t changed = changed_[static_cast<std::size_t>(key)].load();
    MemoryTier::Look look;
    TierCopy copy;
    store::EntryView row;
    if (tier_->find(key_of(key), look, copy, row)) {
      ++hits_;
      check(row, changed);
      return;
    }
    fill(key, look);
  }

  void check(const store::EntryView& row, std::int64_t changed) {
    const bool whole = row.value.bytes() == text_of(row.rowid) && row.cost_us == row.rowid &&
                       row.record_version.bytes() == "version " + std::to_string(row.rowid);
    if (!whole) ++torn_;
    if (row.rowid < changed) ++old_;
  }

  void fill(int key, const MemoryTier::Look& look) {
    const std::int64_t number = stored_[static_cast<std::size_t>(key)].load();
    const std::string text = text_of(number);
    const std::string version = "version " + std::to_string(number);
    store::EntryView row;
    row.rowid = row.cost_us = number;
    row.record_version = ValueView::text(version);
    row.value = ValueView::text(text);
    tier_->fill(key_of(key), look, row);
  }

  void change(int key) {
    std::atomic<std::int64_t>& stored = stored_[static_cast<std::size_t>(key)];
    {
      const std::string name = key_of(key);
      const TierChange change(tier_.get(), name);
      ++stored;
    }
    // A reader that begins now must not see an older number.
    changed_[static_cast<std::size_t>(key)] = stored.load();
  }

  void change_all() { const TierChange change(tier_.get()); }

  const std::unique_ptr<MemoryTier> tier_;
  std::array<std::atomic<std::int64_t>, kKeys> stored_{};
  std::array<std::atomic<std::int64_t>, kKeys> changed_{};
  std::atomic<std::int64_t> hits_{0};
  std::atomic<std::int64_t> torn_{0};
  std::atomic<std::int64_t> old_{0};
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a value that is found while others change it is whole and not outdated") {
    for (const std::int64_t bytes : {64 << 10, 8 << 20}) {
      CAPTURE(bytes);
      Race race(bytes);
      race.run(3, 2, 20'000);
      CHECK(race.torn() == 0);
      CHECK(race.old() == 0);
      CHECK(race.hits() > 0);
    }
  }

  TEST_CASE("readers that evict each other's entries find whole values") {
    Race race(64 << 10);
    race.run(4, 0, 20'000);
    CHECK(race.torn() == 0);
    CHECK(race.old() == 0);
    CHECK(race.hits() > 0);
  }

  TEST_CASE("usage can be read while another thread fills and changes") {
    TierFixture fixture(64 << 10);
    std::atomic<bool> done{false};
    std::thread asking([&] {
      while (!done) CHECK(fixture.usage().bytes <= 64 << 10);
    });
    for (int i = 0; i < 5'000; ++i) {
      fixture.fill("key " + std::to_string(i), "text");
      if (i % 7 == 0) fixture.change("key " + std::to_string(i / 2));
    }
    done = true;
    asking.join();
  }
}
