#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "stale_fixture.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

// `stale_if_error`: the value that callers get when a calculation fails, and the notices about it.

using namespace ashmemo;
using namespace std::chrono_literals;
using test::Blog;
using test::Calls;
using test::Fragile;
using test::kSie;
using test::kSwr;
using test::Post;
using test::posts_up_to;
using test::rounds;
using test::Source;

TEST_SUITE("unit") {
  TEST_CASE("stale_if_error returns the older value, reports the error and pauses calls") {
    Source source(kSie);
    const std::vector<Post> page = posts_up_to(3);
    (void)source.round(page);
    source.next_round(10min);
    source.failing = true;
    CHECK(source.round(page) == rounds(3, 1));
    CHECK(source.blog.calls.size() == 2);
    CHECK(source.round(page) == rounds(3, 1));
    CHECK(source.blog.calls.size() == 2);  // no call during the pause
    CHECK(source.blog.cache.stats().misses == 9);
    (void)source.blog.cache.run_maintenance();
    CHECK(source.notices.size() == 1);
    source.blog.clock->advance(1s);
    source.failing = false;
    CHECK(source.round(page) == rounds(3, 2));
  }

  TEST_CASE("the first failure of a calculation is reported again only after it has recovered") {
    bool failing = false;
    std::vector<std::string> reported;
    Options options;
    options.hooks.on_error = [&reported](const Notice& notice) {
      if (notice.kind == NoticeKind::calculation_failed) reported.push_back(notice.subject);
    };
    Blog blog(options);
    const auto source = [&failing](const Post& post) {
      if (failing) throw std::runtime_error("the source is down");
      return post.id;
    };
    auto one = blog.posts.calculation("one", source);
    auto two = blog.posts.calculation("two", source);
    blog.posts.cache_calculation("one", kSie);
    blog.posts.cache_calculation("two", kSie);
    const auto ask_both_after = [&](Duration pause) {
      blog.clock->advance(pause);
      (void)blog.posts.load(posts_up_to(2), one, two);
      blog.cache.flush();
      return std::exchange(reported, {});
    };
    using Names = std::vector<std::string>;
    CHECK(ask_both_after(0s).empty());
    for (int outage = 0; outage < 3; ++outage) {
      INFO(outage);
      failing = true;
      CHECK(ask_both_after(11min) == Names{"one", "two"});
      CHECK(ask_both_after(1min).empty());
      failing = false;
      CHECK(ask_both_after(2min).empty());
    }
  }

  TEST_CASE("a value that was removed before a load joined a failing run does not answer") {
    const test::Watchdog watchdog("a load that joins after a removal");
    test::Events events;
    Blog blog;
    bool failing = false;
    auto source = blog.posts.calculation("source", [&](const Post&) {
      if (!failing) return 1;
      events.happened("computes");
      events.wait_for("joined");
      throw std::runtime_error("the source is down");
    });
    blog.posts.cache_calculation("source", kSie);
    const Post post{1, {}, 0};
    CHECK(source(post) == 1);
    blog.clock->advance(10min);
    failing = true;
    // Both threads get the same exception object, so neither looks into it.
    const auto throws = [&] {
      try {
        (void)source(post);
      } catch (const std::runtime_error&) {
        return true;
      }
      return false;
    };
    bool other_threw = false;
    std::thread other;
    const test::AtTestPoints points([&, joins = std::this_thread::get_id()](std::string_view at) {
      if (std::this_thread::get_id() != joins) return;
      if (at == "load: waits") events.happened("joined");
      if (at != "load: looked up" || other.joinable()) return;
      blog.posts.invalidate(post);
      other = std::thread([&] { other_threw = throws(); });
      events.wait_for("computes");
    });
    CHECK(throws());
    other.join();
    CHECK(other_threw);
    CHECK(events.times("joined") == 1);
  }

  TEST_CASE("stale_if_error applies to an empty result after its negative_ttl") {
    Blog blog;
    bool failing = false;
    auto find = blog.posts.calculation("find", [&](const Post&) -> std::optional<int> {
      if (failing) throw std::runtime_error("the source is down");
      return std::nullopt;
    });
    blog.posts.cache_calculation("find", {.stale_if_error = 1h, .negative_ttl = 5s});
    CHECK(find(Post{}) == std::nullopt);
    failing = true;
    blog.clock->advance(10s);
    CHECK(find(Post{}) == std::nullopt);
    blog.clock->advance(1h);
    CHECK_THROWS_AS((void)find(Post{}), std::runtime_error);
  }

  TEST_CASE("stale_if_error applies only if every record of the batch has an older value") {
    Source source(kSie);
    const std::vector<Post> page = posts_up_to(3);
    (void)source.round({page[0], page[1]});
    source.next_round(10min);
    source.failing = true;
    CHECK_THROWS_AS((void)source.round(page), std::runtime_error);
    source.blog.clock->advance(2h);
    CHECK_THROWS_AS((void)source.round(page[0]), std::runtime_error);  // too old
  }

  TEST_CASE("a few loads separate a broken record from the batch that throws because of it") {
    Fragile source({.ttl = 10min, .stale_if_error = 24h});
    const std::vector<Post> page = source.page_with_broken();
    for (const int pause : {1, 2, 4, 8}) {
      (void)source.count(page);
      source.blog.clock->advance(std::chrono::seconds(pause));
    }
    CHECK(source.sizes == std::vector<std::size_t>{8, 4, 4, 2, 2, 1, 1});
    CHECK(source.count(page) == std::vector<int>{2, 2, 2, 2, 2, 1, 2, 2});
    source.sizes.clear();
    const std::vector<Post> longer = posts_up_to(20);
    CHECK(source.count(std::vector<Post>(longer.begin() + 8, longer.end())) == rounds(12, 2));
    CHECK(source.sizes == std::vector<std::size_t>{12});  // new records are one batch
  }

  TEST_CASE("a load calls a source that is down at most twice, and no refresh does more") {
    for (const bool refreshes : {false, true}) {
      INFO(refreshes);
      Fragile source(refreshes ? CachePolicy{.ttl = 10min, .stale_while_revalidate = 24h}
                               : CachePolicy{.ttl = 10min, .stale_if_error = 24h});
      const std::vector<Post> page = posts_up_to(64);
      const auto load = [&] {
        source.sizes.clear();
        auto results = source.count(page);
        (void)source.executor->run();
        return results;
      };
      (void)load();
      source.blog.clock->advance(10min);
      source.round = 2;
      source.is_down = true;
      (void)load();
      CHECK(source.sizes == std::vector<std::size_t>{64});
      for (int attempt = 0; attempt < 20; ++attempt) {
        INFO(attempt);
        source.blog.clock->advance(1min);
        CHECK(load() == rounds(64, 1));
        CHECK(source.sizes.size() == 2);
        CHECK(load() == rounds(64, 1));
        CHECK(source.sizes.empty());  // all records pause
      }
      source.is_down = false;
      source.blog.clock->advance(1min);
      (void)load();
      CHECK(load() == rounds(64, 2));
    }
  }

  TEST_CASE("a source that works again after an outage is called a few times for a page") {
    Fragile source({.ttl = 10min, .stale_if_error = 24h});
    const std::vector<Post> page = posts_up_to(256);
    (void)source.count(page);
    source.is_down = true;
    for (int attempt = 0; attempt < 1200; ++attempt) {
      source.blog.clock->advance(1min);
      (void)source.count(page);
    }
    source.is_down = false;
    source.round = 2;
    source.sizes.clear();
    source.blog.clock->advance(1min);
    CHECK(source.count(page) == rounds(256, 2));
    CHECK(source.sizes.front() == 1);
    CHECK(source.sizes.size() <= 20);
  }

  TEST_CASE("records that are broken together do not delay the other records for ever") {
    Fragile source({.ttl = 10min, .stale_if_error = 24h});
    const std::vector<Post> page = posts_up_to(16);
    (void)source.count(page);
    source.blog.clock->advance(10min);
    source.round = 2;
    source.broken = {1, 2, 3, 11};
    std::vector<int> expected = rounds(16, 2);
    for (const std::int64_t id : source.broken) expected[static_cast<std::size_t>(id) - 1] = 1;
    std::vector<int> results;
    for (int attempt = 0; attempt < 100 && results != expected; ++attempt) {
      results = source.count(page);
      source.blog.clock->advance(1min);
    }
    CHECK(results == expected);
  }

  TEST_CASE("a batch in which all records return Failed is not divided") {
    Blog blog;
    std::vector<std::size_t> sizes;
    bool failing = false;
    auto count = blog.posts.calculation("count", [&](Records<Post> batch) {
      sizes.push_back(batch.size());
      return std::vector<Outcome<int>>(
          batch.size(), failing ? Outcome<int>(Failed{"the source is down"}) : Outcome<int>(1));
    });
    blog.posts.cache_calculation("count", kSie);
    (void)count(posts_up_to(8));
    blog.clock->advance(10min);
    failing = true;
    for (int attempt = 0; attempt < 3; ++attempt) {
      blog.clock->advance(1min);
      sizes.clear();
      CHECK(count(posts_up_to(8)) == rounds(8, 1));
      CHECK(sizes == std::vector<std::size_t>{8});
    }
  }

  TEST_CASE("a page is one batch again some hours after its batches threw") {
    Fragile source({.ttl = 10min, .stale_if_error = 24h});
    const std::vector<Post> page = posts_up_to(8);
    (void)source.count(page);
    source.blog.clock->advance(10min);
    source.is_down = true;
    for (const int pause : {1, 2, 4, 8}) {
      (void)source.count(page);
      source.blog.clock->advance(std::chrono::seconds(pause));
    }
    source.is_down = false;
    source.round = 2;
    source.sizes.clear();
    source.blog.clock->advance(3h);
    CHECK(source.count(page) == rounds(8, 2));
    CHECK(source.sizes == std::vector<std::size_t>{8});
  }

  TEST_CASE("a broken record is also separated if its page is loaded every five minutes") {
    Fragile source({.ttl = 10min, .stale_if_error = 24h});
    const std::vector<Post> page = source.page_with_broken();
    std::vector<int> results;
    for (int load = 0; load < 4; ++load) {
      results = source.count(page);
      source.blog.clock->advance(5min);
    }
    CHECK(results == std::vector<int>{2, 2, 2, 2, 2, 1, 2, 2});
  }

  TEST_CASE("a broken record is also separated if other pages of its calculation are loaded") {
    Fragile source({.ttl = 10min, .stale_if_error = 24h});
    const std::vector<Post> page = source.page_with_broken();
    const std::vector<Post> all = posts_up_to(40);
    std::vector<int> results;
    for (int load = 0; load < 4; ++load) {
      results = source.count(page);
      source.blog.clock->advance(150s);
      (void)source.count(
          std::vector<Post>(all.begin() + 8 * (load + 1), all.begin() + 8 * (load + 2)));
      source.blog.clock->advance(150s);
    }
    CHECK(results == std::vector<int>{2, 2, 2, 2, 2, 1, 2, 2});
  }

  TEST_CASE("a load names the failed records of all batches into which it was divided") {
    Blog blog;
    bool down = false;
    bool failing = false;
    std::vector<std::size_t> sizes;
    auto count = blog.posts.calculation("count", [&](Records<Post> batch) {
      sizes.push_back(batch.size());
      if (down) throw std::runtime_error("the source is down");
      std::vector<Outcome<int>> out(batch.size(), Outcome<int>(1));
      for (std::size_t i = 0; failing && i < out.size(); ++i) {
        if (batch[i].id % 2 == 0) out[i] = Failed{"even"};
      }
      return out;
    });
    blog.posts.cache_calculation("count", {.ttl = 10min, .stale_if_error = 5min});
    (void)count(posts_up_to(4));
    blog.clock->advance(10min);
    down = true;
    (void)count(posts_up_to(4));
    blog.clock->advance(5min);  // the older values end
    down = false;
    failing = true;
    sizes.clear();
    std::vector<std::size_t> failed;
    try {
      (void)count(posts_up_to(4));
    } catch (const CalculationFailed& error) {
      for (const auto& record : error.records()) failed.push_back(record.index);
    }
    CHECK(sizes == std::vector<std::size_t>{2, 2});
    CHECK(failed == std::vector<std::size_t>{1, 3});
    CHECK(blog.cache.contains("Post:3:count"));
  }

  TEST_CASE("a record that fails does not pause the other records of its calculation") {
    Blog blog;
    int round = 1;
    std::vector<std::int64_t> tried;
    auto wild = blog.posts.calculation("wild", [&](const Post& post) {
      tried.push_back(post.id);
      if (round == 2 && post.id == 1) throw std::runtime_error("broken");
      return round;
    });
    blog.posts.cache_calculation("wild", kSie);
    const std::vector<Post> page = posts_up_to(2);
    (void)wild(page);
    round = 2;
    blog.clock->advance(10min);
    tried.clear();
    CHECK(wild(page[0]) == 1);
    CHECK(wild(page) == std::vector<int>{1, 2});
    CHECK(tried == std::vector<std::int64_t>{1, 2});
  }

  TEST_CASE("stale_if_error does not stop the records after the one that failed") {
    Blog blog;
    int round = 1;
    auto wild = blog.posts.calculation("wild", [&](const Post& post) {
      if (round == 2 && post.id == 2) throw 42;
      return round;
    });
    blog.posts.cache_calculation("wild", kSie);
    const std::vector<Post> page = posts_up_to(3);
    (void)wild(page);
    round = 2;
    blog.clock->advance(10min);
    CHECK(wild(page) == std::vector<int>{2, 1, 2});
  }

  TEST_CASE("failures of 3,000 single records in one load pause calls as one failure") {
    constexpr std::size_t kMany = 3'000;
    Blog blog;
    bool failing = false;
    auto wild = blog.posts.calculation("wild", [&](const Post& post) {
      if (failing) throw 42;
      return post.id;
    });
    blog.posts.cache_calculation("wild", kSie);
    std::vector<Post> page;
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < kMany; ++i) {
      ids.push_back(static_cast<std::int64_t>(i));
      page.push_back({ids.back(), {}, 0});
    }
    CHECK(wild(page) == ids);
    failing = true;
    blog.clock->advance(10min);
    CHECK(wild(page) == ids);
    CHECK(wild.stats().failed == kMany);
    blog.clock->advance(1s);  // the first pause ends
    failing = false;
    CHECK(wild(page) == ids);
    CHECK(wild.stats().computed == 2 * kMany);
  }

  TEST_CASE("stale_if_error applies to single records that fail in a batch") {
    Blog blog;
    int round = 1;
    auto fragile = blog.posts.calculation("fragile", [&](Records<Post> batch) {
      std::vector<Outcome<int>> out;
      for (const Post& post : batch) {
        if (round == 2 && post.id == 2) {
          out.emplace_back(Failed{"two"});
        } else {
          out.emplace_back(round);
        }
      }
      return out;
    });
    blog.posts.cache_calculation("fragile", kSie);
    const std::vector<Post> page = posts_up_to(3);
    (void)fragile(page);
    round = 2;
    blog.clock->advance(10min);
    CHECK(fragile(page) == std::vector<int>{2, 1, 2});
  }

  TEST_CASE("a failing calculation throws if its older value was removed meanwhile") {
    using Removal = std::function<void(Blog&, Calculation<Post, int>&)>;
    const std::vector<Removal> removals = {
        [](Blog& blog, auto&) {
          blog.posts.invalidate(Post{1, {}, 0});
        },
        [](Blog&, auto& calculation) {
          calculation.invalidate(Post{1, {}, 0});
        },
        [](Blog&, auto& calculation) { calculation.invalidate_all(); },
        [](Blog& blog, auto&) { (void)blog.cache.erase_prefix("Post:1:"); },
        [](Blog& blog, auto&) { (void)blog.cache.clear(); },
        [](Blog& blog, auto& calculation) {
          (void)blog.cache.put(calculation.key(Post{1, {}, 0}), 7);
        },
    };
    for (std::size_t i = 0; i < removals.size(); ++i) {
      for (const bool batch : {false, true}) {
        INFO(i, " ", batch);
        Blog blog;
        bool failing = false;
        Calculation<Post, int> calculation;
        const auto fail = [&] { removals[i](blog, calculation); };
        if (batch) {
          calculation = blog.posts.calculation("c", [&](Records<Post> records) {
            std::vector<Outcome<int>> results(records.size(), Outcome<int>(1));
            if (failing) {
              fail();
              results.front() = Failed{"the source is down"};
            }
            return results;
          });
        } else {
          calculation = blog.posts.calculation("c", [&](const Post&) {
            if (!failing) return 1;
            fail();
            throw std::runtime_error("the source is down");
          });
        }
        blog.posts.cache_calculation("c", kSie);
        CHECK(calculation(Post{1, {}, 0}) == 1);
        blog.clock->advance(11min);
        failing = true;
        CHECK_THROWS((void)calculation(Post{1, {}, 0}));
      }
    }
  }

  TEST_CASE("a failing calculation still answers with its older value if another key was removed") {
    Blog blog;
    bool failing = false;
    auto calculation = blog.posts.calculation("c", [&](const Post&) {
      if (!failing) return 1;
      (void)blog.cache.erase("other");
      blog.posts.invalidate(Post{12, {}, 0});
      throw std::runtime_error("the source is down");
    });
    blog.posts.cache_calculation("c", kSie);
    CHECK(calculation(Post{1, {}, 0}) == 1);
    blog.clock->advance(11min);
    failing = true;
    CHECK(calculation(Post{1, {}, 0}) == 1);
  }
}
