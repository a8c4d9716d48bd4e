#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/load.hpp"
#include "blog_fixture.hpp"
#include "support/allocations.hpp"
#include "support/rendezvous.hpp"

// A load that runs out of memory at any point fails, and other loads do not.

using namespace ashmemo;
using namespace std::chrono_literals;
using test::AtTestPoints;
using test::Blog;
using test::FailingAllocation;
using test::Post;
using test::posts_up_to;

namespace {

/// Loads on another thread while one allocation fails, the one after `before` others. Returns false
/// if there were fewer allocations.
bool load_without_memory(const Calculation<Post, int>& calculation, const std::vector<Post>& page,
                         std::int64_t before) {
  bool failed = false;
  std::thread([&] {
    const FailingAllocation failing(before);
    try {
      (void)calculation(page);
    } catch (const std::bad_alloc&) {
    }
    failed = failing.has_failed();
  }).join();
  return failed;
}

/// A run whose records are all computed.
class AllDone final : public detail::PageRun {
 public:
  bool decode(std::size_t, ValueView) override { return false; }
  [[nodiscard]] bool decodes_in_place() const noexcept override { return true; }
  void compute(std::span<const std::size_t> records, detail::RunObserver& observer) override {
    for (const std::size_t record : records) observer.done(record);
  }
  [[nodiscard]] std::optional<Value> encode(std::size_t) const override { return Value(); }
  [[nodiscard]] bool is_nothing(std::size_t) const override { return false; }
  void copy(std::size_t, std::size_t) override {}
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a load that runs out of memory does not make other loads wait") {
    const std::vector<Post> page = posts_up_to(3);
    for (const bool single : {false, true}) {
      INFO(single);
      bool failed = true;
      for (std::int64_t before = 0; failed; ++before) {
        INFO(before);
        Blog blog;
        auto length = blog.declare_length();
        auto size = blog.posts.calculation(
            "size", [](const Post& post) { return static_cast<int>(post.content.size()); });
        blog.posts.cache_calculation("length", {.ttl = 1min, .stale_if_error = 1h});
        blog.posts.cache_calculation("size", {.ttl = 1min, .stale_if_error = 1h});
        const auto& calculation = single ? size : length;
        (void)calculation(page);
        blog.clock->advance(2min);
        failed = load_without_memory(calculation, page, before);
        std::atomic<int> waits{0};
        const AtTestPoints points([&](std::string_view point) {
          if (point == "load: waits") ++waits;
        });
        blog.clock->advance(2min);  // ends the pause that the failure caused
        const auto [got] = blog.posts.load(page, {.wait = 0s}, calculation);
        CHECK(got == std::vector<int>{1, 2, 3});
        CHECK(waits == 0);
      }
    }
  }

  TEST_CASE("a page of keys that is read without memory has misses, and then hits") {
    constexpr int kKeys = 200;  // enough for memory beyond the stack of the read
    Blog blog({.memory_bytes = 0});
    std::vector<std::pair<std::string, int>> pairs;
    std::vector<std::string> keys;
    for (int i = 0; i < kKeys; ++i) {
      keys.push_back("k" + std::to_string(i));
      pairs.emplace_back(keys.back(), i);
    }
    REQUIRE(blog.cache.put_many(pairs) == kKeys);
    blog.cache.flush();
    const auto count_right = [&](const std::vector<std::optional<int>>& values) {
      int right = 0;
      for (int i = 0; i < kKeys; ++i) {
        const std::optional<int>& value = values[static_cast<std::size_t>(i)];
        CHECK(value.value_or(i) == i);
        if (value) ++right;
      }
      return right;
    };
    int misses = 0;
    bool failed = true;
    for (std::int64_t before = 0; failed; ++before) {
      CAPTURE(before);
      std::vector<std::optional<int>> values(kKeys, -1);
      bool has_returned = false;
      failed = test::without_memory(before, [&] {
        values = blog.cache.get_many<int>(keys);
        has_returned = true;
      });
      if (has_returned && count_right(values) < kKeys) ++misses;
      CHECK(count_right(blog.cache.get_many<int>(keys)) == kKeys);
    }
    CHECK(misses > 0);
  }

  TEST_CASE("a result that cannot be handed over does not count as computed") {
    const std::vector<std::size_t> records = {4, 5, 6};
    for (std::size_t last = 0; last < records.size(); ++last) {
      AllDone all_done;
      api::LoadRun run;
      run.run = &all_done;
      run.one_call = false;
      const auto complete = [&](const api::Computed& computed) {
        if (computed.record == records[last]) throw std::bad_alloc();
      };
      const api::ComputeReport report = api::compute(ManualClock(), run, 0, records, complete);
      CHECK(report.computed.size() == last);
      CHECK(report.thrown);
      CHECK(report.failures == 1);
    }
  }
}
