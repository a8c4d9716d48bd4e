#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/clock.hpp>

#include "engine/write_queue.hpp"
#include "support/fake_engine.hpp"
#include "unit/write_queue_fixture.hpp"

// Many threads use one queue, and a map replaces the file. Most useful under ThreadSanitizer.

using namespace ashmemo;
using namespace ashmemo::engine;

namespace {

constexpr int kWriters = 3;
constexpr int kReaders = 2;
constexpr int kKeys = 6;  // for each writer
constexpr int kWrites = 1'500;
constexpr std::int64_t kWait = 60'000'000;

class File {
 public:
  void apply(const Group& group) {
    const std::lock_guard lock(mutex_);
    if (group.range) {
      std::erase_if(rows_, [&](const auto& row) { return group.range->covers(row.first); });
    }
    for (const Group::Item& item : group.items) {
      const std::string key(item.write->key());
      if (item.write->is_put()) {
        rows_[key] = item.write->value().as_integer();
      } else {
        rows_.erase(key);
      }
    }
  }
  std::int64_t read(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find(key);
    return found == rows_.end() ? 0 : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::int64_t> rows_;
};

class Storm {
 public:
  void run() {
    std::vector<std::thread> threads;
    for (int w = 0; w < kWriters; ++w) threads.emplace_back([this, w] { write(w); });
    for (int r = 0; r < kReaders; ++r) threads.emplace_back([this, r] { observe(r); });
    commit_until_all_have_ended();
    for (std::thread& thread : threads) thread.join();
  }

  void check() {
    CHECK(lost_own_ == 0);
    CHECK(went_back_ == 0);
    CHECK(released_early_ == 0);
    CHECK(queue_.empty());
    CHECK(queue_.bytes() == 0);
    for (int w = 0; w < kWriters; ++w) {
      for (int k = 0; k < kKeys; ++k) CHECK(file_.read(key_of(w, k)) == last_[index_of(w, k)]);
    }
  }

 private:
  static std::string key_of(int writer, int key) {
    return std::to_string(writer) + ":" + std::to_string(key);
  }
  static std::size_t index_of(int writer, int key) {
    return static_cast<std::size_t>(writer * kKeys + key);
  }

  /// Reads the pending writes first and then the file. Returns 0 if there is no value.
  std::int64_t read(const std::string& key) const {
    const Pending pending = queue_.find(key);
    if (pending.kind == Pending::Kind::removed) return 0;
    if (pending.kind == Pending::Kind::put) return pending.write->value().as_integer();
    return file_.read(key);
  }

  static WritePtr number(std::string_view key, std::int64_t value) {
    store::EntryView entry;
    entry.value = ValueView::integer(value);
    return Write::put(key, entry, 100);
  }

  /// Each key has one writer. It writes growing numbers and must always read its last one.
  void write(int writer) {
    std::mt19937 random(static_cast<unsigned>(writer));
    for (int i = 1; i <= kWrites; ++i) {
      const int key = static_cast<int>(random() % kKeys);
      const std::string name = key_of(writer, key);
      const auto action = random() % 50;
      if (action == 0) {
        remove_all_of(writer);
      } else if (action < 6) {
        remove(writer, key, action == 1);
      } else {
        put(writer, key, i, action == 6);
      }
      lost_own_ += read(name) == last_[index_of(writer, key)] ? 0 : 1;
    }
    --writing_;
  }

  void put(int writer, int key, std::int64_t value, bool wait) {
    const std::string name = key_of(writer, key);
    const Waited waited = wait ? Waited::yes : Waited::no;
    Offered offered;
    while (!(offered = queue_.offer(number(name, value), waited)).accepted) {
      queue_.wait_a_little(kWait);
    }
    last_[index_of(writer, key)] = value;
    if (!wait) return;
    const bool done = queue_.wait(offered.slot, kWait, [] { return true; });
    released_early_ += done && file_.read(name) == value ? 0 : 1;
  }

  void remove(int writer, int key, bool wait) {
    const std::string name = key_of(writer, key);
    const Offered offered = queue_.offer(test::removal(name), Waited::yes);
    last_[index_of(writer, key)] = 0;
    if (!wait) return;
    const bool done = queue_.wait(offered.slot, kWait, [] { return true; });
    released_early_ += done && file_.read(name) == 0 ? 0 : 1;
  }

  void remove_all_of(int writer) {
    auto range = std::make_shared<Range>();
    range->kind = Range::Kind::erase_prefix;
    range->prefix = std::to_string(writer) + ":";
    queue_.add(range);
    for (int key = 0; key < kKeys; ++key) last_[index_of(writer, key)] = 0;
    const bool done = queue_.wait(range, kWait, [] { return true; });
    for (int key = 0; key < kKeys; ++key) {
      released_early_ += done && file_.read(key_of(writer, key)) == 0 ? 0 : 1;
    }
  }

  /// A reader must never see an older value after a newer one.
  void observe(int reader) {
    std::mt19937 random(static_cast<unsigned>(100 + reader));
    std::map<std::string, std::int64_t> seen;
    while (writing_ > 0) {
      const std::string key =
          key_of(static_cast<int>(random() % kWriters), static_cast<int>(random() % kKeys));
      const std::int64_t now = read(key);
      if (now == 0) continue;  // removed, so every later value is newer
      went_back_ += now < seen[key] ? 1 : 0;
      seen[key] = now;
    }
  }

  void commit_until_all_have_ended() {
    std::mt19937 random(7);
    while (writing_ > 0 || !queue_.empty()) {
      const Group group = test::take_by_key(queue_, 1 + random() % 8, 1'000);
      if (group.empty()) {
        std::this_thread::yield();
      } else if (random() % 5 == 0) {
        queue_.give_back(group);
      } else {
        file_.apply(group);
        queue_.finish(group);
      }
    }
  }

  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  InFlightTable in_flight_;
  WriteQueue queue_{8'000, clock_, in_flight_};
  File file_;
  std::array<std::int64_t, kWriters * kKeys> last_{};
  std::atomic<int> writing_{kWriters};
  std::atomic<int> lost_own_{0};
  std::atomic<int> went_back_{0};
  std::atomic<int> released_early_{0};
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("an accepted write is always visible while the worker commits or gives back groups") {
    Storm storm;
    storm.run();
    storm.check();
  }

  TEST_CASE("callers that wait return when the queue drops everything") {
    const auto clock = std::make_shared<ManualClock>();
    InFlightTable in_flight;
    WriteQueue queue(1 << 20, clock, in_flight);
    std::atomic<int> waiting{0};
    std::atomic<int> done{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const SlotPtr slot =
            queue.offer(test::text_write("k" + std::to_string(i), "v"), Waited::yes).slot;
        ++waiting;
        done += queue.wait(slot, kWait, [] { return true; }) ? 1 : 0;
      });
    }
    while (waiting < 4) std::this_thread::yield();
    const Group taken = queue.take(1, 1'000);
    queue.finish(taken);
    CHECK(queue.drop_all() == 3);
    for (std::thread& thread : threads) thread.join();
    CHECK(done == 1);
  }
}
