#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "blog_fixture.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

// Many threads load overlapping pages, and each result must be computed once. Other tests close the
// cache during loads.

using namespace ashmemo;
using test::Blog;
using test::Post;

namespace {

constexpr int kThreads = 16;
constexpr std::int64_t kKeys = 10'000;
constexpr std::size_t kBatch = 250;

/// Returns 20, or the value of the environment variable ASHMEMO_TEST_ROUNDS.
int rounds() {
  const char* const asked = std::getenv("ASHMEMO_TEST_ROUNDS");
  return asked == nullptr ? 20 : std::atoi(asked);
}

/// Returns batches that together contain all keys. About `overlap_percent` of a batch are random
/// keys.
std::vector<std::vector<Post>> batches(std::mt19937& random, int overlap_percent) {
  std::vector<std::vector<Post>> out;
  std::int64_t next = 0;
  while (next < kKeys) {
    std::vector<Post> batch;
    while (batch.size() < kBatch && next < kKeys) {
      const bool others = static_cast<int>(random() % 100) < overlap_percent;
      const std::int64_t id = others ? static_cast<std::int64_t>(random() % kKeys) : next++;
      batch.push_back({id, {}, 0});
    }
    std::shuffle(batch.begin(), batch.end(), random);
    out.push_back(std::move(batch));
  }
  return out;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("sixteen threads with overlapping pages compute each key once") {
    std::mt19937 random(26);
    for (int round = 0; round < rounds(); ++round) {
      Blog blog({}, round % 2 == 0 ? WorkerMode::thread : WorkerMode::manual);
      std::vector<std::atomic<int>> times(kKeys);
      auto twice = blog.posts.calculation("twice", [&](Records<Post> batch) {
        std::vector<std::int64_t> out;
        for (const Post& post : batch) {
          ++times[static_cast<std::size_t>(post.id)];
          out.push_back(post.id * 2);
        }
        return out;
      });
      blog.posts.cache_calculation("twice", {});
      const auto pages = batches(random, round * 10 % 100);
      std::atomic<std::size_t> next{0};
      std::atomic<int> wrong{0};
      std::vector<std::thread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
          for (std::size_t at = next++; at < pages.size(); at = next++) {
            const std::vector<std::int64_t> got = twice(pages[at]);
            for (std::size_t i = 0; i < got.size(); ++i) {
              wrong += got[i] != pages[at][i].id * 2 ? 1 : 0;
            }
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      INFO(round);
      CHECK(wrong == 0);
      int not_once = 0;
      for (const auto& each : times) not_once += each != 1 ? 1 : 0;
      CHECK(not_once == 0);
      CHECK(blog.cache.stats().computed == kKeys);
    }
  }

  TEST_CASE("every load gets its value if the cache is closed while calculations run") {
    for (int round = 0; round < 10; ++round) {
      Blog blog;
      test::Events events;
      auto slow = blog.posts.calculation("slow", [&](const Post& post) {
        events.happened("computing");
        events.wait_for("closed");
        return post.id;
      });
      blog.posts.cache_calculation("slow", {});
      const test::AtTestPoints points([&](std::string_view point) {
        if (point == "load: waits") events.happened("waiting");
      });
      std::vector<std::thread> threads;
      std::atomic<int> right{0};
      const auto ask = [&] { right += slow(Post{7, {}, 0}) == 7 ? 1 : 0; };
      threads.emplace_back(ask);
      events.wait_for("computing");
      for (int t = 0; t < 3; ++t) threads.emplace_back(ask);
      events.wait_for("waiting", 3);
      blog.cache.close();
      events.happened("closed");
      for (std::thread& thread : threads) thread.join();
      CHECK(right == 4);
      CHECK(blog.cache.stats().computed == 1);
    }
  }

  TEST_CASE("loads of a finished result that has expired share one computation") {
    const test::Watchdog watchdog("loads of an expired result of a run that hangs");
    Blog blog;
    test::Events events;
    const test::AtTestPoints points([&, last = std::this_thread::get_id()](std::string_view at) {
      if (at == "load: waits" && std::this_thread::get_id() == last) events.happened("waits");
    });
    std::atomic<int> calls{0};
    auto slow = blog.posts.calculation("slow", [&](const Post& post) {
      if (post.id == 2) {
        events.happened("hangs");
        events.wait_for("ends");
        return 0;
      }
      const int call = ++calls;
      if (call == 2) {
        events.happened("computes again");
        events.wait_for("waits");
      }
      return call;
    });
    blog.posts.cache_calculation("slow", {.ttl = std::chrono::seconds(10)});
    std::thread hangs([&] { (void)slow(test::posts_up_to(2)); });
    events.wait_for("hangs");
    blog.clock->advance(std::chrono::seconds(10));
    std::thread first([&] { CHECK(slow(Post{1, {}, 0}) == 2); });
    events.wait_for("computes again");
    CHECK(slow(Post{1, {}, 0}) == 2);
    first.join();
    events.happened("ends");
    hangs.join();
    CHECK(calls == 2);
  }

  TEST_CASE("closing waits for the running refresh and drops refreshes that have not begun") {
    Blog blog;
    test::Events events;
    std::atomic<int> calls{0};
    auto slow = blog.posts.calculation("slow", [&](const Post& post) {
      if (++calls > 2) {
        events.happened("refreshing");
        while (blog.cache.put("is it closing?", 1)) std::this_thread::yield();
      }
      return post.id;
    });
    blog.posts.cache_calculation(
        "slow", {.ttl = std::chrono::minutes(1), .stale_while_revalidate = std::chrono::hours(1)});
    for (const std::int64_t id : {1, 2}) (void)slow(Post{id, {}, 0});
    blog.clock->advance(std::chrono::minutes(2));
    CHECK(slow(Post{1, {}, 0}) == 1);
    events.wait_for("refreshing");
    CHECK(slow(Post{2, {}, 0}) == 2);
    blog.cache.close();
    CHECK(calls == 3);
    CHECK(slow(Post{3, {}, 0}) == 3);
  }
}
