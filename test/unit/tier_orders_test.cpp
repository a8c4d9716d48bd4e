#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "maintenance/committer.hpp"
#include "maintenance/evictor.hpp"
#include "support/fake_engine.hpp"
#include "support/history.hpp"
#include "support/interleaving.hpp"

// Runs readers, writers and the worker on one key, in every order of their steps between test
// points. Memory tier, pending writes and file must together behave like one value that is read and
// changed in some sequence.

using namespace ashmemo;
using test::Body;
using test::FakeEngine;
using test::FakeRow;
using test::History;
using test::Interleaving;
using Kind = test::History::Kind;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr const char* kKey = "k";

Options with_small_memory() {
  Options options = FakeEngine::manual();
  options.memory_bytes = memory::MemoryTier::kMinBytes;
  options.eviction = Eviction::fifo;
  options.limits.max_entries = 1;
  return options;
}

/// A cache at its limit that can be reset, and the operations that run on it.
class World {
 public:
  World() : events_(fake_.engine), transactions_(fake_.engine, events_, disk_full_) {
    REQUIRE(fake_.open().ok());
    no_worker_.in_hook = true;  // so that no call waits
    fake_.engine.worker = &no_worker_;
  }

  /// Stores "v1" under the key in the file and, if `warm`, also in the tier.
  void reset(bool warm) {
    fake_.clock->set_wall(kSecond);
    fake_.file->change([](FakeFile::State& state) {
      state.rows.clear();
      state.totals = {};
    });
    plant("v1", 1);
    FakeRow other;
    other.inserted_at = 2;
    other.byte_size = 100;
    other_ = fake_.file->plant("other", other);
    REQUIRE(transactions_.look(store()).ok());
    history_.emplace("v1");
    was_seen_ = false;
    if (!warm) return;
    CHECK(fake_.get(kKey) == "v1");
    CHECK(fake_.ask({.key = kKey}).in_memory);
  }

  [[nodiscard]] Body reader(int reads = 1) {
    return {[this, reads] {
              for (int i = 0; i < reads; ++i) read();
            },
            "read:"};
  }
  [[nodiscard]] Body putter() {
    return {[this] { record_put("v2"); }, "change:"};
  }
  [[nodiscard]] Body eraser() {
    return {[this] { record(Kind::erase, [this] { (void)fake_.erase(kKey); }); }, "change:"};
  }
  [[nodiscard]] Body clearer(const std::string& prefix) {
    return {[this, prefix] { record(Kind::erase, [&] { (void)fake_.queue_removal(prefix); }); },
            "change:"};
  }
  [[nodiscard]] Body committing() {
    return {[this] { commit(); }, "commit:"};
  }
  [[nodiscard]] Body evicting() {
    return {[this] {
              record(Kind::evict,
                     [this] { CHECK(evictor_.evict_some(store(), std::array{other_}).ok()); });
            },
            "commit:"};
  }
  [[nodiscard]] Body expiring() {
    return {[this] {
              record(Kind::evict, [this] {
                bool more = false;
                fake_.clock->set_wall(10 * kSecond);
                CHECK(sweeper_.expire_some(store(), &more).ok());
              });
            },
            "commit:"};
  }
  /// Another program changes the value, and then the worker looks for changes.
  [[nodiscard]] Body foreign() {
    return {[this] {
              plant("v3", 1);
              CHECK(transactions_.look(store()).ok());
              was_seen_ = true;
            },
            "commit:"};
  }
  /// A read that begins after the worker has looked must return the new value.
  [[nodiscard]] Body foreign_reader() {
    return {[this] { read_foreign(); }, "read:"};
  }

  void queue_put() { record_put("v2"); }
  void commit() { CHECK(committer_.commit_next(store(), {}).ok()); }
  void commit_all() {
    while (!fake_.engine.pending.empty()) commit();
  }
  void read() {
    const std::size_t number = history_->begin(Kind::read);
    history_->end(number, fake_.get(kKey));
  }
  void read_foreign() {
    const bool seen = was_seen_;
    const auto value = fake_.get(kKey);
    if (value != "v3" && (seen || value != "v1"))
      history_->end(history_->begin(Kind::read), "lost");
  }

  [[nodiscard]] const History& history() const { return *history_; }

 private:
  using FakeFile = test::FakeFile;

  store::Store& store() { return *fake_.engine.store.get(); }

  void plant(std::string_view value, std::int64_t inserted_at) {
    FakeRow row;
    row.inserted_at = inserted_at;
    row.byte_size = 100;
    row.deadlines = {0, 5 * kSecond, 5 * kSecond, 5 * kSecond};
    row.value = Value::text(std::string(value));
    (void)fake_.file->plant(kKey, row);
  }

  void record(Kind kind, const std::function<void()>& work) { record(history_->begin(kind), work); }
  void record_put(const std::string& value) {
    record(history_->begin(Kind::put, value), [&] { (void)fake_.put(kKey, value); });
  }
  void record(std::size_t number, const std::function<void()>& work) {
    work();
    history_->end(number);
  }

  test::NoWorker no_worker_;
  FakeEngine fake_{with_small_memory()};
  maintenance::Events events_;
  maintenance::DiskFullMode disk_full_{fake_.engine};
  maintenance::Transactions transactions_;
  const std::unique_ptr<eviction::EvictionPolicy> policy_ =
      eviction::make_eviction_policy(fake_.engine.options.eviction);
  maintenance::Upkeep upkeep_{fake_.engine, transactions_, disk_full_};
  maintenance::Sweeper sweeper_{fake_.engine, transactions_};
  maintenance::Committer committer_{fake_.engine, transactions_, upkeep_, sweeper_, policy_.get()};
  maintenance::Evictor evictor_{fake_.engine, transactions_, disk_full_, policy_.get()};
  std::optional<History> history_;
  std::int64_t other_ = 0;  // the rowid of the row that an eviction spares
  bool was_seen_ = false;   // whether the worker has seen the other program's change
};

using Bodies = std::function<std::vector<Body>(World&)>;

// For bodies with many steps.
constexpr Interleaving::Bounds kFew{20'000, 2};

/// Tries all orders, with and without the entry in the tier at the start. Calls `end` after each
/// order.
void try_all(World& world, const Bodies& bodies, const std::function<void()>& end,
             Interleaving::Bounds bounds) {
  for (const bool warm : {true, false}) {
    CAPTURE(warm);
    Interleaving interleaving(bounds);
    const auto begin = [&] {
      world.reset(warm);
      return bodies(world);
    };
    const auto check = [&] {
      end();
      const bool fits = world.history().has_an_order();
      if (!fits) FAIL_CHECK(world.history().text() << ", in the order " << interleaving.order());
      return fits;
    };
    const Interleaving::Tried tried = interleaving.try_all(begin, check);
    CAPTURE(tried.orders);
    CHECK(tried.all);
    CHECK(tried.orders > 50);
  }
}

/// Commits and reads again after each order. These reads must fit the sequence as well.
void try_all(const Bodies& bodies, Interleaving::Bounds bounds = {}) {
  World world;
  const auto end = [&world] {
    world.read();
    world.read();
    world.commit_all();
    world.read();
    world.read();
  };
  try_all(world, bodies, end, bounds);
}

void try_foreign(const Bodies& bodies) {
  World world;
  try_all(world, bodies, [&world] { world.read_foreign(); }, {});
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a read, a put and its commit are consistent in all orders") {
    try_all([](World& world) {
      return std::vector{world.reader(), world.putter(), world.committing()};
    });
  }

  TEST_CASE("two reads and a put are consistent in all orders") {
    try_all([](World& world) {
      return std::vector{world.reader(), world.reader(), world.putter()};
    });
  }

  TEST_CASE("two reads and the commit of a pending put are consistent in all orders") {
    try_all([](World& world) {
      world.queue_put();
      return std::vector{world.reader(), world.reader(), world.committing()};
    });
  }

  TEST_CASE("a read, a removal and its commit are consistent in all orders") {
    try_all([](World& world) {
      return std::vector{world.reader(), world.eraser(), world.committing()};
    });
  }

  TEST_CASE("a read and a removal of a prefix or of everything are consistent in all orders") {
    for (const std::string prefix : {"", "k"}) {
      try_all([&prefix](World& world) {
        return std::vector{world.reader(), world.clearer(prefix), world.committing()};
      });
    }
  }

  TEST_CASE("two reads and an eviction are consistent in all orders") {
    try_all([](World& world) {
      return std::vector{world.reader(), world.reader(), world.evicting()};
    });
  }

  TEST_CASE("a read, a put and an eviction are consistent in all orders") {
    try_all([](World& world) {
      return std::vector{world.reader(), world.putter(), world.evicting()};
    });
  }

  TEST_CASE("two reads and an expiry are consistent in all orders") {
    try_all([](World& world) {
      return std::vector{world.reader(), world.reader(), world.expiring()};
    });
  }

  TEST_CASE("a read, a put and an expiry are consistent in all orders") {
    try_all([](World& world) {
      return std::vector{world.reader(), world.putter(), world.expiring()};
    });
  }

  TEST_CASE("every read returns the change of another program once the worker has looked") {
    try_foreign([](World& world) {
      return std::vector{world.foreign_reader(), world.foreign_reader(), world.foreign()};
    });
  }

  TEST_CASE("three reads and a put are consistent with few interruptions") {
    try_all(
        [](World& world) {
          return std::vector{world.reader(2), world.reader(), world.putter()};
        },
        kFew);
  }

  TEST_CASE("three reads, a put and its commit are consistent with few interruptions") {
    try_all(
        [](World& world) {
          return std::vector{world.reader(2), world.reader(), world.putter(), world.committing()};
        },
        kFew);
  }

  TEST_CASE("reads, a put and a removal are consistent with few interruptions") {
    try_all(
        [](World& world) {
          return std::vector{world.reader(2), world.putter(), world.eraser(), world.committing()};
        },
        kFew);
  }

  TEST_CASE(
      "reads, a removal of everything and an eviction are consistent with few interruptions") {
    try_all(
        [](World& world) {
          return std::vector{world.reader(2), world.reader(), world.clearer(""), world.evicting()};
        },
        kFew);
  }

  TEST_CASE("History accepts only results for which a sequence exists") {
    using Value = History::Value;
    const auto fits = [](Kind first, const Value& put, const Value& read, const Value& last) {
      History history("v1");
      const auto begun = history.begin(Kind::read);
      const auto change = history.begin(first, put);
      history.end(begun, read);
      history.end(change);
      history.end(history.begin(Kind::read), last);
      return history.has_an_order();
    };
    CHECK(fits(Kind::put, "v2", "v1", "v2"));
    CHECK(fits(Kind::put, "v2", "v2", "v2"));
    CHECK_FALSE(fits(Kind::put, "v2", "v2", "v1"));
    CHECK_FALSE(fits(Kind::put, "v2", "v1", "v1"));
    CHECK(fits(Kind::erase, {}, "v1", {}));
    CHECK_FALSE(fits(Kind::erase, {}, "v1", "v1"));
    CHECK(fits(Kind::evict, {}, "v1", "v1"));
    CHECK(fits(Kind::evict, {}, {}, {}));
    CHECK_FALSE(fits(Kind::evict, {}, {}, "v1"));
  }
}
