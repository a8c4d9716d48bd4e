#include "engine/refresh_queue.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "engine/catalog.hpp"
#include "support/allocations.hpp"
#include "support/cache_fixture.hpp"
#include "support/manual_executor.hpp"

using ashmemo::engine::CalculationState;
using ashmemo::engine::ExecutorSlot;
using ashmemo::engine::RefreshBatch;
using ashmemo::engine::RefreshQueue;
using ashmemo::test::FailingAllocation;
using ashmemo::test::ManualExecutor;
using ashmemo::test::numbered;

namespace {

using Names = std::vector<std::string>;

/// A queue whose batches note their first key when they run.
struct Queue {
  class Batch final : public RefreshBatch {
   public:
    Batch(Queue& owner, const CalculationState& calculation)
        : RefreshBatch(&calculation), owner_(owner) {}
    ~Batch() override { owner_.queue->end(*this); }
    void run() override {
      owner_.ran.emplace_back(keys()[0]);
      if (owner_.while_running) owner_.while_running(std::string(keys()[0]));
    }

   private:
    Queue& owner_;
  };

  /// Requests a refresh of these keys.
  void ask(const CalculationState& calculation, const Names& keys) {
    auto batch = std::make_unique<Batch>(*this, calculation);
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    if (!queue->begin(*batch, views).empty()) queue->add(std::move(batch));
  }
  void run_all() {
    while (executor->run_one()) {
    }
  }

  std::shared_ptr<ManualExecutor> executor = std::make_shared<ManualExecutor>();
  ExecutorSlot slot{executor};
  std::shared_ptr<RefreshQueue> queue = std::make_shared<RefreshQueue>(slot);
  CalculationState one, two;
  Names ran;
  std::function<void(std::string)> while_running;  // a copy, because nested batches change `ran`
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("the newest request for a refresh runs first, of any calculation") {
    Queue queue;
    queue.ask(queue.one, {"a"});
    queue.ask(queue.two, {"b"});
    queue.ask(queue.one, {"c"});
    CHECK(queue.executor->waiting() == 3);
    queue.run_all();
    CHECK(queue.ran == Names{"c", "b", "a"});
  }

  TEST_CASE("a second request for a key moves its batch to the front and posts no task") {
    Queue queue;
    queue.ask(queue.one, {"a", "b"});
    queue.ask(queue.one, {"c"});
    queue.ask(queue.one, {"b"});
    queue.ask(queue.one, {"b", "a"});
    CHECK(queue.executor->waiting() == 2);
    queue.run_all();
    CHECK(queue.ran == Names{"a", "c"});
    CHECK(queue.queue->dropped() == 0);
  }

  TEST_CASE(
      "the queue of refreshes keeps the newest records of a calculation and counts the others") {
    constexpr std::size_t kMany = 3 * RefreshQueue::kMaxRecords;
    Queue queue;
    queue.ask(queue.two, {"other"});
    for (const std::string& key : numbered("", kMany)) queue.ask(queue.one, {key});
    CHECK(queue.queue->dropped() == 2 * RefreshQueue::kMaxRecords);
    CHECK(queue.executor->waiting() <= RefreshQueue::kMaxRecords + 1);
    queue.run_all();
    REQUIRE(queue.ran.size() == RefreshQueue::kMaxRecords + 1);
    CHECK(queue.ran.front() == std::to_string(kMany - 1));
    CHECK(queue.ran.back() == "other");
    queue.ask(queue.one, {"0"});  // a dropped key can be requested again
    queue.run_all();
    CHECK(queue.ran.back() == "0");
  }

  TEST_CASE("a refresh of a page above the limit waits alone") {
    Queue queue;
    queue.ask(queue.one, {"small"});
    queue.ask(queue.one, numbered("", 2 * RefreshQueue::kMaxRecords));
    CHECK(queue.queue->dropped() == 1);
    queue.run_all();
    CHECK(queue.ran == Names{"0"});
  }

  TEST_CASE("two batches of a calculation run at once and batches of others go on") {
    Queue queue;
    for (const char* key : {"a", "b", "c", "d"}) queue.ask(queue.one, {key});
    queue.ask(queue.two, {"other"});
    // Each batch runs inside of the one before, as if each had its own thread.
    int running = 0;
    int max_of_one = 0;
    queue.while_running = [&](const std::string& key) {
      const bool is_of_one = key != "other";
      if (is_of_one) max_of_one = std::max(max_of_one, ++running);
      (void)queue.executor->run_one();
      if (is_of_one) --running;
    };
    queue.run_all();
    CHECK(max_of_one == RefreshQueue::kMaxRunning);
    CHECK(queue.ran.size() == 5);
    CHECK(queue.queue->dropped() == 0);
  }

  TEST_CASE("a batch of another calculation runs while two batches of the first one hang") {
    Queue queue;
    for (const char* key : {"a", "b", "c"}) queue.ask(queue.one, {key});
    Names ran_meanwhile;
    queue.while_running = [&](const std::string& key) {
      if (key == "c") (void)queue.executor->run_one();  // "b" hangs, too
      if (key != "b") return;
      queue.ask(queue.two, {"other"});
      queue.run_all();
      ran_meanwhile = queue.ran;
    };
    queue.run_all();
    CHECK(ran_meanwhile == Names{"c", "b", "other"});
    CHECK(queue.ran == Names{"c", "b", "other", "a"});
  }

  TEST_CASE("refreshes of a calculation go on after memory ran out at the end of some") {
    Queue queue;
    for (const std::string& key : numbered("", 4)) queue.ask(queue.one, {key});
    std::optional<FailingAllocation> failing;
    queue.while_running = [&](const std::string&) { failing.emplace(0); };
    for (int i = 0; i < 2; ++i) {
      (void)queue.executor->run_one();
      failing.reset();
    }
    queue.while_running = {};
    queue.ask(queue.one, {"later"});
    queue.run_all();
    CHECK(std::find(queue.ran.begin(), queue.ran.end(), "later") != queue.ran.end());
  }

  TEST_CASE("an executor that drops a task drops the oldest refresh") {
    Queue queue;
    queue.ask(queue.one, {"a"});
    CHECK(queue.executor->drop() == 1);
    CHECK(queue.queue->dropped() == 1);
    queue.ask(queue.one, {"a"});
    CHECK(queue.executor->waiting() == 1);
    queue.run_all();
    CHECK(queue.ran == Names{"a"});
  }

  TEST_CASE("a closed queue of refreshes drops all batches that wait") {
    Queue queue;
    queue.ask(queue.one, {"a", "b"});
    queue.queue->close();
    queue.ask(queue.one, {"c"});
    CHECK(queue.executor->run() == 1);
    CHECK(queue.ran.empty());
    CHECK(queue.queue->dropped() == 0);
  }

  TEST_CASE("a removal of a prefix marks exactly the keys of refreshes that begin with it") {
    Queue queue;
    const Names keys = {"Post:1:a", "Post:1:b", "Post:12:a", "Post:2:a", "x"};
    Queue::Batch batch(queue, queue.one);
    const std::vector<std::string_view> views(keys.begin(), keys.end());
    CHECK(queue.queue->begin(batch, views).size() == keys.size());
    queue.queue->removed_prefix("Post:1:");
    CHECK(queue.queue->removed_since_begin(batch) ==
          std::vector<bool>{true, true, false, false, false});
    queue.queue->removed_prefix("Post:");
    CHECK(queue.queue->removed_since_begin(batch) ==
          std::vector<bool>{true, true, true, true, false});
  }
}
