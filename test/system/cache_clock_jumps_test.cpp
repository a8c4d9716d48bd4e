// Entries of each kind, stored at one moment and read at another, in the queue, the file or memory.

#include <doctest/doctest.h>

#include <array>
#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using test::CacheFixture;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kHour = 3'600'000'000;
constexpr std::int64_t kYear = 8'766 * kHour;
constexpr std::int64_t kStart = 1'700'000'000'000'000;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

constexpr std::array kMoments{std::int64_t{0},
                              kStart - 10 * kYear,
                              kStart - kHour,
                              kStart - 1,
                              kStart,
                              kStart + 1,
                              kStart + kHour / 2 - 1,
                              kStart + kHour / 2,
                              kStart + kHour - 1,
                              kStart + kHour,
                              kStart + 10 * kYear,
                              kNever - kHour - 2,
                              kNever - kHour - 1,
                              kNever - 2,
                              kNever - 1};

/// The moment at which an entry expires.
std::int64_t end_of(std::int64_t stored, std::int64_t lifetime) {
  return stored > kNever - lifetime ? kNever : stored + lifetime;
}

enum class Place { pending, file, memory };

struct Item {
  std::int64_t id;
};

/// Three entries: one that lives for an hour, a result that is fresh for half an hour and stale for
/// another half hour, and one that never expires.
class Jumps {
 public:
  Jumps(Place place, bool swept) : place_(place), swept_(swept) {
    items_.cache_calculation("half", {.ttl = 30min, .stale_while_revalidate = 30min});
  }

  void from(std::int64_t stored) {
    store(stored);
    for (const std::int64_t now : kMoments) {
      INFO("stored at " << stored << ", read at " << now);
      bring_into_place();
      f_.clock->set_wall(now);
      if (swept_) (void)f_->run_maintenance();
      const bool is_live = stored <= now && now < end_of(stored, kHour);
      expect(is_live, stored <= now);
      if (is_live) CHECK(f_->entry(half_.key(item_))->freshness == state_at(stored, now));
      // When the clock is set back, the entry is live again unless maintenance deleted it.
      f_.clock->set_wall(stored);
      const bool is_deleted = swept_ && now >= end_of(stored, kHour);
      expect(!is_deleted, true);
      if (is_deleted) store(stored);
    }
  }

 private:
  void store(std::int64_t moment) {
    f_.clock->set_wall(moment);
    (void)f_->erase(half_.key(item_));  // otherwise it may still be live
    CHECK(f_->put("hour", ++value_, {.ttl = 1h}));
    CHECK(f_->put("ever", value_));
    CHECK(half_(item_) == value_);
  }

  void bring_into_place() {
    if (place_ == Place::pending) return;
    f_->flush();
    if (place_ == Place::file) return;
    expect(true, true);
    const std::int64_t before = f_->stats().memory_hits;
    CHECK(f_->get<int>("hour") == value_);
    CHECK(f_->get<int>("ever") == value_);
    CHECK(half_(item_) == value_);
    CHECK(f_->stats().memory_hits == before + 3);
  }

  void expect(bool is_live, bool is_ever) {
    const auto value_if = [this](bool there) {
      return there ? std::optional<int>(value_) : std::nullopt;
    };
    CHECK(f_->get<int>("hour") == value_if(is_live));
    CHECK(half_.cached(item_) == value_if(is_live));
    CHECK(f_->get<int>("ever") == value_if(is_ever));
  }

  static Freshness state_at(std::int64_t stored, std::int64_t now) {
    return now < end_of(stored, kHour / 2) ? Freshness::fresh : Freshness::stale;
  }

  const Place place_;
  const bool swept_;
  const Item item_{7};
  int value_ = 0;
  CacheFixture f_{place_ == Place::memory ? Options{} : Options{.memory_bytes = 0}};
  Registry registry_{f_.cache()};
  Resource<Item>& items_ = registry_.resource<Item>("Item", &Item::id);
  Calculation<Item, int> half_ = items_.calculation("half", [this](const Item&) { return value_; });
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("an entry is live from its storing until its expiry when the clock jumps") {
    for (const Place place : {Place::pending, Place::file, Place::memory}) {
      for (const bool swept : {false, true}) {
        INFO("place " << static_cast<int>(place) << std::string(swept ? ", swept" : ""));
        Jumps jumps(place, swept);
        for (const std::int64_t stored : kMoments) jumps.from(stored);
      }
    }
  }
}
