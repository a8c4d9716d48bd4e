#include <doctest/doctest.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "blog_fixture.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

// Calculations that load the results of others: nested, from several threads, and in a cycle.

using namespace ashmemo;
using test::AtTestPoints;
using test::Blog;
using test::Events;
using test::Post;
using test::posts_up_to;

namespace {

Post post(std::int64_t id) { return {id, {}, 0}; }

using Keys = std::set<std::string>;

/// The names of the runs that are active on this thread, the innermost last.
thread_local std::vector<std::string> chain;

/// Records all runs and which run started which. The tests check the path of a cycle against it.
class RunsSeen {
 public:
  /// Returns the name that the path of a cycle has for a run with these keys.
  static std::string shown(const Keys& keys) {
    if (keys.size() == 1) return *keys.begin();
    return *keys.begin() + " (and " + std::to_string(keys.size() - 1) + " more)";
  }

  void add(const Keys& keys, const Keys& wanted) {
    const std::string run = shown(keys);
    const std::lock_guard lock(mutex_);
    if (!chain.empty()) started_.insert({chain.back(), run});
    keys_.insert({run, keys});
    wanted_.insert({run, wanted});
  }

  /// Returns true if each run of the path started the next one. The last run never began, so it
  /// must contain all keys of the first run.
  [[nodiscard]] bool is_cycle(const std::string& path) const {
    const std::vector<std::string> runs = runs_of(path);
    if (runs.size() < 2) return false;
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i + 2 < runs.size(); ++i) {
      if (!started_.contains({runs[i], runs[i + 1]})) return false;
    }
    return closes(runs.front(), runs[runs.size() - 2], runs.back());
  }

 private:
  // Several runs may have the same name.
  using Named = std::set<std::pair<std::string, Keys>>;

  static std::vector<std::string> runs_of(std::string path) {
    std::vector<std::string> runs;
    for (std::size_t end = path.find(" -> "); end != std::string::npos; end = path.find(" -> ")) {
      runs.push_back(path.substr(0, end));
      path.erase(0, end + 4);
    }
    runs.push_back(path);
    return runs;
  }

  [[nodiscard]] bool closes(const std::string& first, const std::string& before,
                            const std::string& last) const {
    const std::string key = last.substr(0, last.find(' '));
    for (const auto& [run, keys] : keys_) {
      if (run != first || *keys.begin() < key) continue;
      for (const auto& [wanting, wanted] : wanted_) {
        const bool has_all = std::includes(wanted.begin(), wanted.end(), keys.begin(), keys.end());
        if (wanting == before && has_all && wanted.contains(key)) return true;
      }
    }
    return false;
  }

  mutable std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> started_;
  Named keys_;
  Named wanted_;  // the keys that a run loads
};

/// Records a run in `seen`. It is the innermost run of its thread until it is destroyed.
class SeenRun {
 public:
  SeenRun(RunsSeen& seen, Records<Post> batch, const std::vector<Post>& wanted) {
    seen.add(keys_of(batch), keys_of(wanted));
    chain.push_back(RunsSeen::shown(keys_of(batch)));
  }
  ~SeenRun() { chain.pop_back(); }
  SeenRun(const SeenRun&) = delete;
  SeenRun& operator=(const SeenRun&) = delete;

 private:
  template <class Posts>
  static Keys keys_of(const Posts& posts) {
    Keys keys;
    for (const Post& one : posts) keys.insert("Post:" + std::to_string(one.id) + ":sum");
    return keys;
  }
};

/// The nodes of a graph. The value of a node is 1 plus the values of the nodes that it needs.
struct Graph : Blog {
  using Needs = std::map<std::int64_t, std::vector<std::int64_t>>;

  explicit Graph(Needs given) : needs(std::move(given)) { posts.cache_calculation("sum", {}); }

  [[nodiscard]] std::int64_t value_of(std::int64_t id) const {
    std::int64_t value = 1;
    for (const std::int64_t needed : needs.at(id)) value += value_of(needed);
    return value;
  }

  Needs needs;
  RunsSeen seen;
  Calculation<Post, std::int64_t> sum = posts.calculation("sum", [this](Records<Post> batch) {
    std::vector<Post> wanted;
    for (const Post& one : batch) {
      for (const std::int64_t id : needs.at(one.id)) wanted.push_back(post(id));
    }
    const SeenRun run(seen, batch, wanted);
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

/// Returns a graph with up to three cycles of up to six nodes. Cycles may share nodes.
Graph::Needs random_cyclic(std::mt19937& random, std::int64_t nodes) {
  Graph::Needs needs = random_acyclic(random, nodes);
  for (auto cycles = 1 + random() % 3; cycles > 0; --cycles) {
    std::vector<std::int64_t> ids;
    for (std::int64_t id = 1; id <= nodes; ++id) ids.push_back(id);
    std::shuffle(ids.begin(), ids.end(), random);
    ids.resize(1 + random() % 6);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      needs[ids[i]].push_back(ids[(i + 1) % ids.size()]);
    }
  }
  return needs;
}

/// Returns all nodes that a node needs directly or indirectly.
std::set<std::int64_t> reached_from(std::int64_t id, const Graph::Needs& needs) {
  std::set<std::int64_t> reached;
  std::vector<std::int64_t> next = needs.at(id);
  while (!next.empty()) {
    const std::int64_t one = next.back();
    next.pop_back();
    if (!reached.insert(one).second) continue;
    next.insert(next.end(), needs.at(one).begin(), needs.at(one).end());
  }
  return reached;
}

/// Returns the nodes without a value: they are in a cycle or need a node in a cycle.
std::set<std::int64_t> ids_in_cycles(const Graph::Needs& needs) {
  std::set<std::int64_t> in_cycle;
  for (const auto& [id, direct] : needs) {
    std::set<std::int64_t> reached = reached_from(id, needs);
    reached.insert(id);
    for (const std::int64_t one : reached) {
      if (reached_from(one, needs).contains(one)) in_cycle.insert(id);
    }
  }
  return in_cycle;
}

std::vector<Post> random_page(std::mt19937& random) {
  std::vector<Post> page;
  for (auto left = 1 + random() % 4; left > 0; --left) {
    page.push_back(post(1 + static_cast<std::int64_t>(random() % 20)));
  }
  return page;
}

/// Returns the path in the message of a cycle error.
std::string path_of(const std::string& error) {
  const std::string before = "these calculations need each other's results: ";
  const std::size_t at = error.find(before);
  return at == std::string::npos ? std::string() : error.substr(at + before.size());
}

/// Loads the page. Returns true if the load reports a real cycle when the page needs one, and
/// otherwise returns the right values.
bool is_right(Graph& graph, const std::vector<Post>& page, const std::set<std::int64_t>& doomed) {
  const bool must_fail = std::any_of(page.begin(), page.end(),
                                     [&](const Post& one) { return doomed.contains(one.id); });
  std::vector<std::int64_t> got;
  const std::string error = test::error_of([&] { got = graph.sum(page); });
  if (must_fail) return graph.seen.is_cycle(path_of(error));
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i] != graph.value_of(page[i].id)) return false;
  }
  return error.empty() && got.size() == page.size();
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a calculation may load other calculations and itself for other records") {
    Graph graph({{1, {}}, {2, {1}}, {3, {1, 2}}, {4, {3, 2, 1}}});
    CHECK(graph.sum(post(4)) == graph.value_of(4));
    CHECK(graph.sum({post(1), post(2), post(3)}) == std::vector<std::int64_t>{1, 2, 4});
  }

  TEST_CASE("two batches that need each other's records do not wait for each other forever") {
    // 11 needs 22 and 21 needs 12. One thread computes 11 and 12, the other computes 21 and 22.
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
    CHECK(inside == 3);  // one batch computed a record of the other batch
  }

  TEST_CASE("a cycle is reported with its path") {
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

  TEST_CASE("a cycle through two threads is found") {
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

  TEST_CASE("a loader that loads its own key is a cycle") {
    Blog blog;
    const std::function<int()> ask = [&] {
      return blog.cache.get_or_compute("k", [&] { return ask(); });
    };
    CHECK(test::error_code_of(ask) == static_cast<int>(ErrorCode::cycle));
  }

  TEST_CASE("a calculation that helps an unrelated task with its own record computes it again") {
    Blog blog;
    std::deque<std::function<void()>> tasks;
    const auto help = [&tasks] {
      while (!tasks.empty()) {
        const auto task = std::move(tasks.front());
        tasks.pop_front();
        task();
      }
    };
    int runs = 0;
    auto helper = blog.posts.calculation("helper", [&](const Post& one) {
      ++runs;
      help();
      return one.id * 10;
    });
    blog.posts.cache_calculation("helper", {});
    std::vector<std::int64_t> got;
    for (int i = 0; i < 20; ++i) tasks.emplace_back([&] { got.push_back(helper(post(7))); });
    CHECK(helper(post(7)) == 70);
    CHECK(got == std::vector<std::int64_t>(20, 70));
    CHECK(runs == 21);
    CHECK(helper(post(7)) == 70);
    CHECK(runs == 21);
    tasks.emplace_back(
        [&] { got.push_back(blog.cache.get_or_compute("k", [] { return std::int64_t{1}; })); });
    CHECK(blog.cache.get_or_compute("k", [&] { return help(), std::int64_t{2}; }) == 2);
    CHECK(got.back() == 1);
  }

  TEST_CASE("a calculation that catches the error of a cycle and goes on ends soon") {
    Blog blog;
    int runs = 0;
    Calculation<Post, int> twice;
    twice = blog.posts.calculation("twice", [&](const Post& one) {
      ++runs;
      int failed = 0;
      for (int i = 0; i < 2; ++i) {
        failed += test::error_code_of([&] { (void)twice(one); }) != 0 ? 1 : 0;
      }
      return failed;
    });
    blog.posts.cache_calculation("twice", {});
    (void)twice(post(1));
    CHECK(runs < 200);
  }

  TEST_CASE("calculations that are nested too deep fail before the stack overflows") {
    for (const bool is_cached : {true, false}) {
      INFO(is_cached);
      Blog blog;
      Calculation<Post, std::int64_t> depth;
      depth = blog.posts.calculation("depth", [&](const Post& one) -> std::int64_t {
        return one.id == 0 ? 0 : depth(post(one.id - 1)) + 1;
      });
      if (is_cached) blog.posts.cache_calculation("depth", {});
      constexpr int kTooDeep = static_cast<int>(ErrorCode::too_deep);
      CHECK(test::error_code_of([&] { (void)depth(post(5'000)); }) == kTooDeep);
      const std::string what = test::error_of([&] { (void)depth(post(5'000)); });
      CHECK(test::contains(what, "more than 500 deep"));
      CHECK(test::contains(what, is_cached ? "Post:4500:depth" : "not cached"));
      CHECK(depth(post(499)) == 499);
    }
  }

  TEST_CASE("a thread that ends inside a calculation ends alone and another caller computes") {
    Blog blog;
    std::atomic<int> calls{0};
    auto count = blog.posts.calculation("count", [&](Records<Post> batch) {
      if (++calls == 1) ::pthread_exit(nullptr);
      return std::vector<int>(batch.size(), calls);
    });
    blog.posts.cache_calculation("count", {});
    std::thread([&] { (void)count(post(1)); }).join();
    CHECK(count(post(1)) == 2);
    int loads = 0;
    const auto load = [&] {
      return blog.cache.get_or_compute("k", [&] {
        if (++loads == 1) ::pthread_exit(nullptr);
        return loads;
      });
    };
    std::thread([&] { (void)load(); }).join();
    CHECK(load() == 2);
  }

  TEST_CASE("a thread that is cancelled inside a calculation ends and another caller computes") {
    const test::Watchdog watchdog("a thread that is cancelled");
    test::Events events;
    Blog blog;
    std::atomic<int> calls{0};
    auto count = blog.posts.calculation("count", [&](const Post&) {
      if (++calls == 1) {
        events.happened("computes");
        while (true) ::pause();
      }
      return calls.load();
    });
    blog.posts.cache_calculation("count", {});
    std::thread computes([&] { (void)count(post(1)); });
    events.wait_for("computes");
    REQUIRE(::pthread_cancel(computes.native_handle()) == 0);
    computes.join();
    CHECK(count(post(1)) == 2);
    CHECK(count(post(1)) == 2);
  }

  TEST_CASE("loads of random graphs without cycles return the right values in every thread") {
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

  TEST_CASE("a long cycle is reported with its whole path") {
    Graph graph({{1, {5}}, {2, {1}}, {3, {2}}, {4, {3}}, {5, {4}}, {6, {3}}});
    CHECK(path_of(test::error_of([&] { (void)graph.sum(post(6)); })) ==
          "Post:3:sum -> Post:2:sum -> Post:1:sum -> Post:5:sum -> Post:4:sum -> Post:3:sum");
    const std::string of_page = test::error_of([&] { (void)graph.sum({post(1), post(3)}); });
    CHECK(graph.seen.is_cycle(path_of(of_page)));
  }

  TEST_CASE("loads of random graphs report a cycle only if the page needs one") {
    const test::Watchdog watchdog("loads of graphs with cycles");
    std::mt19937 random(7);
    for (int round = 0; round < 20; ++round) {
      Graph graph(random_cyclic(random, 20));
      const std::set<std::int64_t> doomed = ids_in_cycles(graph.needs);
      std::vector<std::thread> threads;
      std::atomic<int> wrong{0};
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, seed = random()] {
          std::mt19937 mine(static_cast<std::mt19937::result_type>(seed));
          for (int i = 0; i < 20; ++i) wrong += is_right(graph, random_page(mine), doomed) ? 0 : 1;
        });
      }
      for (std::thread& thread : threads) thread.join();
      CHECK(wrong == 0);
    }
  }
}
