#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "blog_fixture.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

// Calculations that ask for the results of others: nested, in a circle of threads, in a real cycle.

using namespace ashmemo;
using test::AtTestPoints;
using test::Blog;
using test::Events;
using test::Post;
using test::posts_up_to;

namespace {

Post post(std::int64_t id) { return {id, {}, 0}; }

/// Nodes of a graph: the value of one is 1 and the sum of those it needs.
struct Graph : Blog {
  using Needs = std::map<std::int64_t, std::vector<std::int64_t>>;

  explicit Graph(Needs given) : needs(std::move(given)) { posts.cache_calculation("sum", {}); }

  [[nodiscard]] std::int64_t value_of(std::int64_t id) const {
    std::int64_t value = 1;
    for (const std::int64_t needed : needs.at(id)) value += value_of(needed);
    return value;
  }

  Needs needs;
  Calculation<Post, std::int64_t> sum = posts.calculation("sum", [this](Records<Post> batch) {
    std::vector<Post> wanted;
    for (const Post& one : batch) {
      for (const std::int64_t id : needs.at(one.id)) wanted.push_back(post(id));
    }
    const std::vector<std::int64_t> got = sum(wanted);
    std::vector<std::int64_t> out;
    auto next = got.begin();
    for (const Post& one : batch) {
      out.push_back(1);
      for (std::size_t i = 0; i < needs.at(one.id).size(); ++i) out.back() += *next++;
    }
    return out;
  });
};

/// Whether the error tells a path of runs through one of the two. (A run is shown by its first key:
/// a batch of both is a circle by itself.)
bool is_cycle_of_5_and_9(const std::string& error) {
  return test::contains(error, " -> ") &&
         (test::contains(error, "Post:5:sum") || test::contains(error, "Post:9:sum"));
}

Graph::Needs random_acyclic(std::mt19937& random, std::int64_t nodes) {
  Graph::Needs needs;
  for (std::int64_t id = 1; id <= nodes; ++id) {
    needs[id] = {};
    for (std::int64_t lower = std::max<std::int64_t>(1, id - 6); lower < id; ++lower) {
      if (random() % 4 == 0) needs[id].push_back(lower);
    }
  }
  return needs;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a calculation may load others, and itself for other records") {
    Graph graph({{1, {}}, {2, {1}}, {3, {1, 2}}, {4, {3, 2, 1}}});
    CHECK(graph.sum(post(4)) == graph.value_of(4));
    CHECK(graph.sum({post(1), post(2), post(3)}) == std::vector<std::int64_t>{1, 2, 4});
  }

  TEST_CASE("two batches that need each other's records do not wait in a circle") {
    // 11 needs 22, 21 needs 12; one thread computes 11 and 12, the other one 21 and 22.
    Blog blog;
    Events events;
    std::atomic<int> inside{0};
    Calculation<Post, int> value;
    value = blog.posts.calculation("value", [&](Records<Post> batch) {
      const int mine = ++inside;
      if (mine <= 2) {
        events.happened("inside");
        events.wait_for("inside", 2);
      }
      std::vector<int> out;
      for (const Post& one : batch) {
        const bool nested = mine <= 2 && one.id % 10 == 1;
        out.push_back(nested ? value(post(one.id == 11 ? 22 : 12)) + 1 : 0);
      }
      return out;
    });
    blog.posts.cache_calculation("value", {});
    std::thread one([&] { CHECK(value({post(11), post(12)}) == std::vector<int>{1, 0}); });
    std::thread two([&] { CHECK(value({post(21), post(22)}) == std::vector<int>{1, 0}); });
    one.join();
    two.join();
    CHECK(inside == 3);  // one of them computed one record of the other's
  }

  TEST_CASE("a cycle is told with its path") {
    Blog blog;
    Calculation<Post, int> a;
    Calculation<Post, int> b;
    a = blog.posts.calculation("a", [&](const Post& one) { return b(one) + 1; });
    b = blog.posts.calculation("b", [&](const Post& one) { return a(one) + 1; });
    blog.posts.cache_calculation("a", {});
    blog.posts.cache_calculation("b", {});
    CHECK(test::error_code_of([&] { (void)a(post(7)); }) == static_cast<int>(ErrorCode::cycle));
    CHECK(test::contains(test::error_of([&] { (void)a(post(7)); }),
                         "Post:7:a -> Post:7:b -> Post:7:a"));
    CHECK(blog.cache.stats().entries == 0);
  }

  TEST_CASE("a cycle through two threads is found, too") {
    Blog blog;
    Events events;
    std::atomic<int> inside{0};
    Calculation<Post, int> a;
    Calculation<Post, int> b;
    const auto meet = [&] {
      if (++inside > 2) return;
      events.happened("inside");
      events.wait_for("inside", 2);
    };
    a = blog.posts.calculation("a", [&](const Post& one) { return meet(), b(one) + 1; });
    b = blog.posts.calculation("b", [&](const Post& one) { return meet(), a(one) + 1; });
    blog.posts.cache_calculation("a", {});
    blog.posts.cache_calculation("b", {});
    constexpr int kCycle = static_cast<int>(ErrorCode::cycle);
    std::thread one([&] { CHECK(test::error_code_of([&] { (void)a(post(7)); }) == kCycle); });
    std::thread two([&] { CHECK(test::error_code_of([&] { (void)b(post(7)); }) == kCycle); });
    one.join();
    two.join();
  }

  TEST_CASE("a loader that asks for its own key is a cycle") {
    Blog blog;
    const std::function<int()> ask = [&] {
      return blog.cache.get_or_compute("k", [&] { return ask(); });
    };
    CHECK(test::error_code_of(ask) == static_cast<int>(ErrorCode::cycle));
  }

  TEST_CASE("random acyclic graphs over threads: never a hang, never a cycle, every value right") {
    const test::Watchdog watchdog("loads of acyclic graphs");
    std::mt19937 random(20'231);
    for (int round = 0; round < 12; ++round) {
      Graph graph(random_acyclic(random, 30));
      std::atomic<int> wrong{0};
      std::vector<std::thread> threads;
      for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&, seed = random()] {
          std::mt19937 mine(static_cast<std::mt19937::result_type>(seed));
          for (int i = 0; i < 10; ++i) {
            std::vector<Post> page;
            for (int k = 0; k < 5; ++k) page.push_back(post(1 + static_cast<int>(mine() % 30)));
            const auto got = graph.sum(page);
            for (std::size_t k = 0; k < page.size(); ++k) {
              wrong += got[k] != graph.value_of(page[k].id) ? 1 : 0;
            }
            if (mine() % 4 == 0) (void)graph.cache.clear();
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(wrong == 0);
    }
  }

  TEST_CASE("random graphs with cycles: whoever asks into one is told, everybody else answered") {
    const test::Watchdog watchdog("loads of graphs with cycles");
    std::mt19937 random(7);
    for (int round = 0; round < 12; ++round) {
      Graph::Needs needs = random_acyclic(random, 20);
      needs[5].push_back(9);
      needs[9] = {5};
      Graph graph(needs);
      std::map<std::int64_t, bool> in_cycle;
      for (std::int64_t id = 1; id <= 20; ++id) {
        in_cycle[id] = id == 5 || id == 9;
        for (const std::int64_t needed : needs[id]) in_cycle[id] |= needed < id && in_cycle[needed];
      }
      std::vector<std::thread> threads;
      std::atomic<int> wrong{0};
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
          for (std::int64_t id = 1; id <= 20; ++id) {
            const std::string error = test::error_of([&] {
              if (graph.sum(post(id)) != graph.value_of(id)) ++wrong;
            });
            wrong += is_cycle_of_5_and_9(error) != in_cycle[id] ? 1 : 0;
            wrong += error.empty() == in_cycle[id] ? 1 : 0;
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(wrong == 0);
    }
  }
}
