#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>

#include "engine/write_queue.hpp"
#include "support/fake_engine.hpp"

// Runs random operations on the queue, and commits its groups to a model of the file. Each
// operation has a time. At any moment a reader must see the newest operation of each key, in the
// queue or in the file.

using namespace ashmemo;
using namespace ashmemo::engine;

namespace {

constexpr std::size_t kMaxBytes = 3'000;

/// The newest operation of a key.
struct State {
  std::uint64_t time = 0;
  std::string value;  // empty: removed
};

using Keys = std::vector<std::string>;

Keys all_keys() {
  Keys keys;
  for (const char* kind : {"a:", "b:"}) {
    for (int i = 0; i < 5; ++i) keys.push_back(kind + std::to_string(i));
  }
  return keys;
}

class Run {
 public:
  explicit Run(std::uint32_t seed) : random_(seed), queue_(kMaxBytes, clock_, in_flight_) {}

  void step() {
    const unsigned dice = roll(16);
    if (dice < 5) {
      offer(true);
    } else if (dice < 7) {
      offer(false);
    } else if (dice < 9) {
      add_command();
    } else if (dice < 11) {
      take();
    } else if (dice < 13) {
      finish();
    } else if (dice == 13) {
      give_back();
    } else if (dice == 14) {
      begin_flush();
    } else {
      refusing_ = !refusing_;
      queue_.set_refusing(refusing_);
    }
    check();
  }

  /// Commits everything and checks that nothing remains. Returns how often the queue replaced its
  /// items by one removal of everything.
  int end() {
    finish();
    for (int groups = 0; !queue_.empty(); ++groups) {
      REQUIRE(groups < 1'000);
      take();
      finish();
      check();
    }
    take();
    CHECK(group_.empty());
    CHECK(queue_.bytes() == 0);
    for (const SlotPtr& slot : slots_) {
      const bool done = queue_.wait(slot, 0, [] { return true; });
      CHECK(done != slot->dropped);
      CHECK((done || times_bound_ > 0));
    }
    for (const RangePtr& range : ranges_) CHECK(range->done != range->dropped);
    return times_bound_;
  }

 private:
  /// What a flush must wait for.
  struct Flush {
    std::uint64_t number;
    std::map<std::string, State> newest;
  };

  unsigned roll(unsigned sides) { return static_cast<unsigned>(random_()) % sides; }
  std::string any_key() {
    return std::string(roll(2) != 0 ? "a:" : "b:") + std::to_string(roll(5));
  }

  void offer(bool is_put) {
    const std::string key = any_key();
    const std::string value = std::to_string(time_ + 1) + std::string(roll(600), '.');
    const WritePtr write =
        is_put ? test::text_write(key, value, 1 + roll(400)) : test::removal(key);
    const Waited waited = !is_put || roll(3) == 0 ? Waited::yes : Waited::no;
    const std::size_t before = queue_.bytes();
    const Offered offered = queue_.offer(write, waited);
    if (!offered.accepted) {
      CHECK(is_put);
      CHECK(before > 0);
      CHECK(queue_.bytes() == before);
      return;
    }
    expect_bound(offered.lost);
    CHECK((waited == Waited::no || offered.slot));
    if (offered.slot) slots_.push_back(offered.slot);
    times_[write.get()] = ++time_;
    writes_.push_back(write);
    newest_[key] = {time_, is_put ? value : ""};
  }

  void add_command() {
    const auto range = std::make_shared<Range>();
    const unsigned kind = roll(6);
    range->kind = kind == 0   ? Range::Kind::erase_all
                  : kind == 1 ? Range::Kind::recount
                  : kind == 2 ? Range::Kind::put_calculations
                              : Range::Kind::erase_prefix;
    if (kind > 2) range->prefix = kind == 3 ? "a:" : any_key();
    const WriteQueue::Added added = queue_.add(range);
    expect_bound(added.lost);
    if (added.range != range) return;  // one that waits serves for it
    ranges_.push_back(range);
    remove(newest_, *range, ++time_);
    times_[range.get()] = time_;
  }

  void expect_bound(const std::optional<std::int64_t>& lost) {
    if (!lost) return;
    CHECK(refusing_);
    ++times_bound_;
    remove(newest_, Range{}, ++time_);
    time_of_bound_ = time_;
  }

  static void remove(std::map<std::string, State>& states, const Range& range, std::uint64_t time) {
    for (const std::string& key : all_keys()) {
      if (range.covers(key)) states[key] = {time, ""};
    }
  }

  void take() {
    if (!group_.empty()) return;  // one worker
    const std::vector<WritePtr> writes = queue_.begin_sweep(roll(4) == 0);
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < writes.size(); ++i) {
      if (writes[i]) order.push_back(i);
    }
    std::shuffle(order.begin(), order.end(), random_);
    if (!order.empty()) queue_.arrange(order);
    const std::size_t max_rows = 1 + roll(5);
    group_ = queue_.take(max_rows, 1 + roll(1'200));
    queue_.drop_covered(group_);
    CHECK(group_.items.size() <= max_rows);
    CHECK((group_.items.empty() || !group_.range));
    if (group_.range && times_.try_emplace(group_.range.get(), time_of_bound_).second) {
      ranges_.push_back(group_.range);  // the queue has made it
    }
  }

  void finish() {
    if (group_.empty()) return;
    for (const Group::Item& item : group_.items) {
      State& row = file_[std::string(item.write->key())];
      const std::uint64_t time = times_.at(item.write.get());
      CHECK(time > row.time);
      row = {time, std::string(item.write->value().bytes())};
    }
    if (group_.range) {
      const std::uint64_t time = times_.at(group_.range.get());
      for (const std::string& key : all_keys()) {
        if (group_.range->covers(key)) CHECK(file_[key].time < time);
      }
      remove(file_, *group_.range, time);
    }
    queue_.finish(group_);
    group_ = {};
  }

  void give_back() {
    queue_.give_back(group_, roll(2) == 0);
    group_ = {};
  }

  void begin_flush() { flushes_.push_back({queue_.last_number(), newest_}); }

  [[nodiscard]] std::string read(const std::string& key) {
    const Pending pending = queue_.find(key);
    if (pending.kind == Pending::Kind::removed) return "";
    if (pending.kind == Pending::Kind::put) return std::string(pending.write->value().bytes());
    return file_[key].value;
  }

  void check() {
    for (const std::string& key : all_keys()) {
      CAPTURE(key);
      CHECK(read(key) == newest_[key].value);
    }
    if (!group_.empty()) return;
    std::erase_if(flushes_, [&](const Flush& flush) {
      if (queue_.has_until(flush.number)) return false;
      for (const auto& [key, state] : flush.newest) CHECK(file_[key].time >= state.time);
      return true;
    });
    if (queue_.empty()) CHECK(flushes_.empty());
  }

  std::mt19937 random_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  InFlightTable in_flight_;
  WriteQueue queue_;
  std::map<std::string, State> newest_;
  std::map<std::string, State> file_;
  std::map<const void*, std::uint64_t> times_;  // of writes and commands
  std::vector<WritePtr> writes_;                // so that no address is used twice
  std::vector<RangePtr> ranges_;
  std::vector<SlotPtr> slots_;
  std::vector<Flush> flushes_;
  Group group_;  // taken by the worker
  std::uint64_t time_ = 0;
  std::uint64_t time_of_bound_ = 0;
  bool refusing_ = false;
  int times_bound_ = 0;
};

/// Returns how often the queue replaced its items by one removal of everything.
int run(std::uint32_t seed) {
  CAPTURE(seed);
  Run run(seed);
  for (int i = 0; i < 200; ++i) run.step();
  return run.end();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a reader of the write queue and the file always sees the newest write of a key") {
    int times_bound = 0;
    for (std::uint32_t seed = 1; seed <= 300; ++seed) times_bound += run(seed);
    run(std::random_device{}());
    CHECK(times_bound > 20);
  }
}
