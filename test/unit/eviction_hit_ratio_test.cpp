#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "eviction/eviction_policy.hpp"
#include "support/policy_simulator.hpp"

// Compares the policies with exact versions from a textbook, which are simple and keep all entries
// in memory.

using namespace ashmemo;
using namespace ashmemo::test;

namespace {

using Trace = std::vector<std::int64_t>;

/// Does nothing if the queue does not have the key.
void move_to_end(std::list<std::int64_t>& queue, std::int64_t key) {
  const auto found = std::find(queue.begin(), queue.end(), key);
  if (found != queue.end()) queue.splice(queue.end(), queue, found);
}

struct TextbookFifo {
  std::size_t capacity;
  std::list<std::int64_t> queue{};  // oldest first

  bool request(std::int64_t key) {
    if (std::find(queue.begin(), queue.end(), key) != queue.end()) return true;
    if (queue.size() == capacity) queue.pop_front();
    queue.push_back(key);
    return false;
  }
  void insert_again(std::int64_t key) { move_to_end(queue, key); }
};

struct TextbookLru {
  std::size_t capacity;
  std::list<std::int64_t> queue{};  // least recently used first

  bool request(std::int64_t key) {
    const auto found = std::find(queue.begin(), queue.end(), key);
    if (found != queue.end()) {
      queue.splice(queue.end(), queue, found);
      return true;
    }
    if (queue.size() == capacity) queue.pop_front();
    queue.push_back(key);
    return false;
  }
  void insert_again(std::int64_t key) { move_to_end(queue, key); }
};

struct CountedKey {
  std::int64_t key;
  int counter = 0;
};
using CountedQueue = std::list<CountedKey>;
constexpr std::int64_t kNoKey = -1;

CountedKey* find(CountedQueue& queue, std::int64_t key) {
  const auto found = std::find_if(queue.begin(), queue.end(),
                                  [&](const CountedKey& entry) { return entry.key == key; });
  return found == queue.end() ? nullptr : &*found;
}

CountedQueue::iterator oldest_except(std::int64_t newest, CountedQueue& queue) {
  return queue.front().key == newest ? std::next(queue.begin()) : queue.begin();
}

// Never evicts the newest entry.
void evict_by_second_chance(CountedQueue& queue, std::int64_t newest) {
  auto oldest = oldest_except(newest, queue);
  while (oldest->counter > 0) {
    --oldest->counter;
    queue.splice(queue.end(), queue, oldest);
    oldest = oldest_except(newest, queue);
  }
  queue.erase(oldest);
}

struct TextbookClock {
  std::size_t capacity;
  CountedQueue queue{};

  bool request(std::int64_t key) {
    if (CountedKey* const hit = find(queue, key)) {
      hit->counter = std::min(hit->counter + 1, 3);
      return true;
    }
    queue.push_back({key});
    if (queue.size() > capacity) evict_by_second_chance(queue, key);
    return false;
  }
  void insert_again(std::int64_t key) {
    const auto is_old = [key](const CountedKey& entry) { return entry.key == key; };
    if (queue.remove_if(is_old) > 0) queue.push_back({key});
  }
};

struct TextbookS3Fifo {
  std::size_t capacity;
  CountedQueue probation{};
  CountedQueue main{};
  std::list<std::int64_t> ghosts{};  // oldest first

  bool request(std::int64_t key) {
    CountedKey* hit = find(main, key);
    if (hit == nullptr) hit = find(probation, key);
    if (hit != nullptr) {
      hit->counter = std::min(hit->counter + 1, 3);
      return true;
    }
    const auto ghost = std::find(ghosts.begin(), ghosts.end(), key);
    const bool was_ghost = ghost != ghosts.end();
    if (was_ghost) ghosts.erase(ghost);
    if (probation.size() + main.size() == capacity) evict_one();
    (was_ghost ? main : probation).push_back({key});
    return false;
  }

  void evict_one() {
    while (probation.size() * 10 >= capacity) {
      const CountedKey oldest = probation.front();
      probation.pop_front();
      if (oldest.counter < 2) {
        ghosts.push_back(oldest.key);
        if (ghosts.size() > capacity * 9 / 10) ghosts.pop_front();
        return;
      }
      main.push_back({oldest.key});
    }
    evict_by_second_chance(main, kNoKey);
  }
};

// Draws keys below `keys`. The probability of key k is proportional to 1 / (k + 1)^exponent.
class Zipf {
 public:
  Zipf(std::size_t keys, double exponent, std::uint64_t seed) : random_(seed) {
    for (std::size_t key = 0; key < keys; ++key) {
      sums_.push_back((sums_.empty() ? 0 : sums_.back()) +
                      std::pow(static_cast<double>(key + 1), -exponent));
    }
  }
  std::int64_t next() {
    const double point = static_cast<double>(random_() >> 11) * 0x1p-53 * sums_.back();
    return std::upper_bound(sums_.begin(), sums_.end(), point) - sums_.begin();
  }

 private:
  std::mt19937_64 random_;
  std::vector<double> sums_;
};

Trace zipf_trace() {
  Zipf zipf(1000, 0.9, 1);
  Trace trace(20'000);
  for (auto& key : trace) key = zipf.next();
  return trace;
}

Trace scan_trace() {  // no key occurs twice
  Trace trace(1000);
  for (std::size_t i = 0; i < trace.size(); ++i) trace[i] = static_cast<std::int64_t>(i);
  return trace;
}

Trace loop_trace() {  // a few keys more than the capacity
  Trace trace(5000);
  for (std::size_t i = 0; i < trace.size(); ++i) trace[i] = static_cast<std::int64_t>(i % 120);
  return trace;
}

Trace zipf_and_scans() {
  Zipf zipf(1000, 0.9, 2);
  Trace trace;
  std::int64_t once = 1'000'000;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 300; ++i) trace.push_back(zipf.next());
    for (int i = 0; i < 200; ++i) trace.push_back(once++);
  }
  return trace;
}

constexpr std::size_t kCapacity = 100;
constexpr std::int64_t kForEach = eviction::Reinsertions::kForEachDeletion;
const eviction::Reinsertions kNoBound(1'000'000);

PolicySimulator::Counts simulate(Eviction eviction, const Trace& trace,
                                 eviction::Reinsertions reinsertions = eviction::Reinsertions(),
                                 std::vector<bool>* hits = nullptr) {
  const auto policy = eviction::make_eviction_policy(eviction);
  PolicySimulator simulator(*policy, {.max_entries = kCapacity}, reinsertions);
  for (const std::int64_t key : trace) {
    const bool hit = simulator.request(std::to_string(key));
    if (hits != nullptr) hits->push_back(hit);
  }
  CHECK(simulator.sizes().entries <= static_cast<std::int64_t>(kCapacity));
  return simulator.counts();
}

double hit_percent(std::int64_t hits, const Trace& trace) {
  return 100.0 * static_cast<double>(hits) / static_cast<double>(trace.size());
}

double hit_percent_of(Eviction eviction, const Trace& trace) {
  return hit_percent(simulate(eviction, trace).hits, trace);
}

template <class Textbook>
double textbook_hit_percent(const Trace& trace) {
  Textbook cache{kCapacity};
  return hit_percent(std::count_if(trace.begin(), trace.end(),
                                   [&](std::int64_t key) { return cache.request(key); }),
                     trace);
}

template <class Textbook>
void check_each_request(Eviction eviction) {
  for (const Trace& trace : {zipf_trace(), scan_trace(), loop_trace(), zipf_and_scans()}) {
    std::vector<bool> hits;
    simulate(eviction, trace, kNoBound, &hits);
    Textbook cache{kCapacity};
    std::size_t same = 0;
    while (same < trace.size() && cache.request(trace[same]) == hits[same]) ++same;
    CHECK(same == trace.size());
  }
}

/// Changes the versions of some keys before they are requested, and overwrites others.
template <class Textbook>
void check_overwrites(Eviction eviction) {
  const auto policy = eviction::make_eviction_policy(eviction);
  PolicySimulator simulator(*policy, {.max_entries = kCapacity}, kNoBound);
  Textbook textbook{kCapacity};
  std::unordered_map<std::int64_t, std::int64_t> versions;
  std::mt19937 random(3);
  int overwritten = 0, changed = 0;
  for (const std::int64_t key : zipf_and_scans()) {
    const std::string name = std::to_string(key);
    const auto kind = random() % 8;
    if (kind == 0 && simulator.contains(name)) {
      // A miss, because the row has the older version.
      CHECK_FALSE(simulator.request(name, {.calculation_id = ++versions[key]}));
      textbook.insert_again(key);
      ++changed;
    } else if (kind == 1 && simulator.contains(name)) {
      simulator.put(name, {.calculation_id = versions[key]});
      CHECK(textbook.request(key));
      ++overwritten;
    } else {
      REQUIRE(simulator.request(name, {.calculation_id = versions[key]}) == textbook.request(key));
    }
  }
  CHECK(changed > 500);
  CHECK(overwritten > 500);
}

template <class Textbook>
void check_cost_of_the_bound(Eviction eviction) {
  for (const Trace& trace : {zipf_trace(), zipf_and_scans()}) {
    const auto counts = simulate(eviction, trace);
    CHECK(counts.reinsertions <= kForEach * (counts.evictions + 1));
    CHECK(counts.max_reinsertions <= eviction::Reinsertions::kMaxSaved);
    CHECK(std::abs(hit_percent(counts.hits, trace) - textbook_hit_percent<Textbook>(trace)) < 0.3);
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("fifo evicts in the order of insertion like the textbook version") {
    check_each_request<TextbookFifo>(Eviction::fifo);
    CHECK(simulate(Eviction::fifo, zipf_trace()).reinsertions == 0);
  }

  TEST_CASE("lru evicts in the order of the last reads like the textbook version") {
    check_each_request<TextbookLru>(Eviction::lru);
  }

  TEST_CASE("clock gives second chances like the textbook version") {
    check_each_request<TextbookClock>(Eviction::clock);
  }

  TEST_CASE("an overwrite is a use and a changed version is a new insertion as in the textbook") {
    check_overwrites<TextbookFifo>(Eviction::fifo);
    check_overwrites<TextbookLru>(Eviction::lru);
    check_overwrites<TextbookClock>(Eviction::clock);
  }

  TEST_CASE(
      "a limit of four re-insertions for a deletion costs less than 0.3 points of the hit ratio") {
    check_cost_of_the_bound<TextbookLru>(Eviction::lru);
    check_cost_of_the_bound<TextbookClock>(Eviction::clock);
    CHECK(simulate(Eviction::clock, zipf_trace()).max_reinsertions > kForEach);
  }

  TEST_CASE("s3fifo has about the hit ratio of the textbook version with exact ghosts") {
    for (const Trace& trace : {zipf_trace(), loop_trace(), zipf_and_scans()}) {
      const auto hits = simulate(Eviction::s3fifo, trace, kNoBound).hits;
      CHECK(hit_percent(hits, trace) > textbook_hit_percent<TextbookS3Fifo>(trace) - 0.6);
    }
  }

  TEST_CASE("s3fifo keeps popular keys during scans and lru loses them") {
    const Trace trace = zipf_and_scans();
    CHECK(hit_percent_of(Eviction::s3fifo, trace) > hit_percent_of(Eviction::lru, trace) + 5.0);
    CHECK(hit_percent_of(Eviction::s3fifo, trace) > hit_percent_of(Eviction::clock, trace));
  }

  TEST_CASE("s3fifo has hits in a loop that is longer than the cache and lru has none") {
    CHECK(simulate(Eviction::lru, loop_trace()).hits == 0);
    CHECK(simulate(Eviction::s3fifo, loop_trace()).hits > 0);
  }
}
