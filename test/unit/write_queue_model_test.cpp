#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>

#include "engine/write_queue.hpp"
#include "support/fake_engine.hpp"

// Runs random operations on the queue and on a simple model of it, and compares the two. The model
// is a list of items. A reader sees the newest operation of a key that is not finished.

using namespace ashmemo;
using namespace ashmemo::engine;

namespace {

constexpr std::size_t kMaxBytes = 3'000;

struct Operation {
  std::uint64_t time = 0;
  WritePtr write;  // null: a range removal
};

struct Item;
using ItemPtr = std::shared_ptr<Item>;
struct Item {
  SlotPtr slot;    // of a write
  RangePtr range;  // of a command
  std::vector<Operation> operations;
  bool taken = false;
  bool done = false;
  bool dropped = false;
  bool is_own = false;  // made by the queue; `range` gets its value when the item is taken

  [[nodiscard]] bool is_removal() const { return range || !operations.back().write->is_put; }
  [[nodiscard]] std::size_t bytes() const {
    return kItemOverhead + (range ? range->prefix.size() : slot->key.size());
  }
};

class Model {
 public:
  /// Returns the item that a write of the key replaces. It is the newest item of the key, unless
  /// the worker has taken it or a command follows it.
  ItemPtr joinable(const std::string& key) const {
    for (auto item = items_.rbegin(); item != items_.rend(); ++item) {
      if ((*item)->range) return nullptr;
      if ((*item)->slot->key == key) return (*item)->taken ? nullptr : *item;
    }
    return nullptr;
  }

  void add(const ItemPtr& item) { items_.push_back(item); }

  [[nodiscard]] std::ptrdiff_t puts() const {
    return std::count_if(items_.begin(), items_.end(),
                         [](const ItemPtr& item) { return !item->range && !item->is_removal(); });
  }

  /// The memory of removals and commands.
  [[nodiscard]] std::size_t removal_bytes() const {
    std::size_t bytes = 0;
    for (const ItemPtr& item : items_) bytes += item->is_removal() ? item->bytes() : 0;
    return bytes;
  }

  /// Drops all items that are not taken; returns how many puts were among them.
  std::int64_t drop_untaken() {
    std::int64_t lost = 0;
    for (const ItemPtr& item : items_) {
      if (item->taken) continue;
      lost += item->slot && item->operations.back().write->is_put ? 1 : 0;
      item->dropped = true;
    }
    std::erase_if(items_, [](const ItemPtr& item) { return item->dropped; });
    return lost;
  }

  std::string find(const std::string& key) const {
    std::uint64_t newest = 0;
    std::string found = "nothing";
    for (const ItemPtr& item : items_) {
      const bool concerns = item->range ? item->range->covers(key) : item->slot->key == key;
      if (!concerns || item->operations.back().time < newest) continue;
      newest = item->operations.back().time;
      const WritePtr& write = item->operations.back().write;
      found = write && write->is_put ? "put " + std::string(write->value.bytes()) : "removed";
    }
    return found;
  }

  std::vector<ItemPtr> next_group(std::size_t most_rows, std::int64_t most_bytes) const {
    std::vector<ItemPtr> group;
    std::int64_t bytes = 0;
    for (const ItemPtr& item : items_) {
      if (item->taken) continue;
      if (item->range) return group.empty() ? std::vector{item} : group;
      bytes += item->operations.back().write->byte_size;
      if (group.size() == most_rows || (!group.empty() && bytes > most_bytes)) break;
      group.push_back(item);
    }
    return group;
  }

  void finish(const std::vector<ItemPtr>& group) {
    for (const ItemPtr& item : group) {
      item->done = true;
      std::erase(items_, item);
    }
  }

  [[nodiscard]] const std::deque<ItemPtr>& items() const { return items_; }

 private:
  std::deque<ItemPtr> items_;  // in queue order, including taken items
};

class Run {
 public:
  explicit Run(std::uint32_t seed) : random_(seed), queue_(kMaxBytes, clock_, in_flight_) {}

  void step() {
    switch (roll(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        offer(true);
        break;
      case 4:
      case 5:
        offer(false);
        break;
      case 6:
      case 12:
        add_command();
        break;
      case 13:
        refusing_ = !refusing_;
        queue_.set_refusing(refusing_);
        break;
      case 7:
      case 8:
        take();
        break;
      case 9:
      case 10:
        finish();
        break;
      case 11:
        give_back();
        break;
    }
    check();
  }

  /// Commits everything and checks that nothing remains. Returns how often the queue replaced its
  /// items by one removal of everything.
  int end() {
    if (!group_.empty()) finish();
    while (true) {
      take();
      if (group_.empty()) break;
      finish();
      check();
    }
    CHECK(queue_.empty());
    CHECK(queue_.bytes() == 0);
    for (const ItemPtr& item : all_) CHECK(is_done(*item) != item->dropped);
    return times_bound_;
  }

 private:
  unsigned roll(unsigned sides) { return static_cast<unsigned>(random_()) % sides; }
  std::string any_key() {
    return std::string(roll(2) != 0 ? "a:" : "b:") + std::to_string(roll(4));
  }

  static bool is_done(const Item& item) {
    return item.slot ? item.slot->done : item.range && item.range->done;
  }

  /// Checks that the queue has replaced its removals by one `clear` if a removal of `bytes` bytes
  /// would exceed their limit, and only then.
  void expect_bound(const std::optional<std::int64_t>& lost, std::size_t bytes) {
    const bool is_over = refusing_ && model_.removal_bytes() + bytes > kMaxBytes;
    REQUIRE(lost.has_value() == is_over);
    if (!is_over) return;
    ++times_bound_;
    CHECK(model_.drop_untaken() == *lost);
    const auto all = std::make_shared<Item>();
    all->range = std::make_shared<Range>();
    all->is_own = true;
    all->operations.push_back({++time_, nullptr});
    model_.add(all);
  }

  void offer(bool is_put) {
    const std::string key = any_key();
    auto write = std::make_shared<Write>();
    write->is_put = is_put;
    if (is_put) {
      write->value = Value::text(std::to_string(++time_) + std::string(roll(900), '.'));
      write->byte_size = 1 + roll(400);
    }
    const ItemPtr joined = model_.joinable(key);
    const std::size_t before = queue_.bytes();
    const bool had_puts = before != model_.removal_bytes();
    const Offered offered = queue_.offer(key, write);
    if (!offered.slot) {
      CHECK(is_put);
      CHECK(had_puts);  // removals take no space from puts
      CHECK(queue_.bytes() == before);
      return;
    }
    if (!is_put && !joined) expect_bound(offered.lost, kItemOverhead + key.size());
    book(joined, offered, write);
    const std::size_t of_puts = queue_.bytes() - model_.removal_bytes();
    CHECK((!is_put || model_.puts() <= 1 || of_puts <= kMaxBytes));
  }

  void book(const ItemPtr& joined, const Offered& offered, const WritePtr& write) {
    const Operation operation{++time_, write};
    if (joined) {
      CHECK(offered.slot == joined->slot);
      CHECK(offered.replaced == joined->operations.back().write);
      joined->operations.push_back(operation);
      return;
    }
    CHECK_FALSE(offered.replaced);
    auto item = std::make_shared<Item>();
    item->slot = offered.slot;
    item->operations.push_back(operation);
    model_.add(item);
    all_.push_back(item);
  }

  void add_command() {
    auto item = std::make_shared<Item>();
    item->range = std::make_shared<Range>();
    const unsigned kind = roll(5);
    item->range->kind = kind == 0   ? Range::Kind::erase_all
                        : kind == 1 ? Range::Kind::recount
                        : kind == 2 ? Range::Kind::put_calculations
                                    : Range::Kind::erase_prefix;
    if (kind > 2) item->range->prefix = kind == 3 ? "a:" : any_key();
    all_.push_back(item);
    const WriteQueue::Added added = queue_.add(item->range);
    if (added.range != item->range) {  // one that waits serves for it
      CHECK(item->range->kind == Range::Kind::put_calculations);
      all_.pop_back();
      return;
    }
    expect_bound(added.lost, item->bytes());
    item->operations.push_back({++time_, nullptr});
    model_.add(item);
  }

  void take() {
    if (!group_.empty()) return;  // one worker
    const std::size_t most_rows = 1 + roll(5);
    const std::int64_t most_bytes = 1 + roll(1'200);
    group_ = model_.next_group(most_rows, most_bytes);
    taken_ = queue_.take(most_rows, most_bytes);
    REQUIRE(taken_.slots.size() + (taken_.range ? 1u : 0u) == group_.size());
    for (std::size_t i = 0; i < group_.size(); ++i) {
      group_[i]->taken = true;
      if (std::exchange(group_[i]->is_own, false)) {
        REQUIRE(taken_.range);
        CHECK(taken_.range->prefix.empty());
        group_[i]->range = taken_.range;
      } else if (group_[i]->range) {
        CHECK(taken_.range == group_[i]->range);
      } else {
        CHECK(taken_.slots[i] == group_[i]->slot);
        CHECK(taken_.writes[i] == group_[i]->operations.back().write);
      }
    }
  }

  void finish() {
    if (group_.empty()) return;
    queue_.finish(taken_);
    model_.finish(group_);
    group_.clear();
  }

  void give_back() {
    if (group_.empty()) return;
    queue_.give_back(taken_);
    for (const ItemPtr& item : group_) item->taken = false;
    group_.clear();
  }

  std::string found(const std::string& key) const {
    const Pending pending = queue_.find(key);
    if (pending.kind == Pending::Kind::nothing) return "nothing";
    if (pending.kind == Pending::Kind::removed) return "removed";
    return "put " + std::string(pending.write->value.bytes());
  }

  void check() {
    for (const char* kind : {"a:", "b:"}) {
      for (int i = 0; i < 5; ++i) {
        const std::string key = kind + std::to_string(i);
        CAPTURE(key);
        CHECK(found(key) == model_.find(key));
      }
    }
    for (const ItemPtr& item : all_) CHECK(is_done(*item) == item->done);
    CHECK(queue_.empty() == model_.items().empty());
  }

  std::mt19937 random_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  InFlightTable in_flight_;
  WriteQueue queue_;
  Model model_;
  std::vector<ItemPtr> all_;
  std::vector<ItemPtr> group_;  // taken by the worker
  Group taken_;
  std::uint64_t time_ = 0;
  bool refusing_ = false;
  int times_bound_ = 0;
};

/// Returns how often the queue replaced its items by one removal of everything.
int run(std::uint32_t seed) {
  CAPTURE(seed);
  Run run(seed);
  for (int i = 0; i < 150; ++i) run.step();
  return run.end();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the write queue behaves like a simple model of it") {
    int times_bound = 0;
    for (std::uint32_t seed = 1; seed <= 200; ++seed) times_bound += run(seed);
    run(std::random_device{}());
    CHECK(times_bound > 20);
  }
}
