// The eviction policies on real files: which entry is evicted first.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <list>
#include <random>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Options with a maximum number of entries and a policy.
Options room_for(int entries, Eviction eviction) {
  return {.limits = {.max_entries = entries}, .eviction = eviction};
}

void put_each(CacheFixture& f, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) CHECK(f->put(key, 1));
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("fifo evicts the entry that was stored first and ignores reads and overwrites") {
    CacheFixture f(room_for(3, Eviction::fifo));
    put_each(f, {"a", "b", "c"});
    f->flush();
    for (int i = 0; i < 5; ++i) CHECK(f->get<int>("a") == 1);
    f->flush();
    put_each(f, {"d"});
    f->flush();
    CHECK(f.keys() == "b c d");
    put_each(f, {"b", "e"});
    f->flush();
    CHECK(f.keys() == "c d e");
  }

  TEST_CASE("lru evicts the least recently used entry, and get, touch and put are uses") {
    CacheFixture f(room_for(4, Eviction::lru));
    put_each(f, {"a", "b", "c", "d"});
    f->flush();
    CHECK(f->get<int>("a") == 1);
    CHECK(f->touch("b"));
    put_each(f, {"c"});
    put_each(f, {"e"});
    f->flush();
    CHECK(f.keys() == "a b c e");
    put_each(f, {"f", "g"});
    f->flush();
    CHECK(f.keys() == "c e f g");
  }

  TEST_CASE("lru knows reads whose touches are not written yet") {
    for (const bool flushed : {false, true}) {
      INFO(std::string(flushed ? "written" : "only marked"));
      CacheFixture f(room_for(3, Eviction::lru));
      f.options.timing.touch_interval = 1h;
      put_each(f, {"a", "b", "c"});
      f->flush();
      CHECK(f->get<int>("a") == 1);
      if (flushed) f->flush();
      put_each(f, {"d"});
      f->flush();
      CHECK(f.keys() == "a c d");
      CHECK(f->entry("a")->access_count == 1);
    }
  }

  TEST_CASE("lru evicts the same entries as a list in memory when the clock stops or goes back") {
    for (const bool backwards : {false, true}) {
      INFO(std::string(backwards ? "clock is set back" : "clock does not move"));
      constexpr std::size_t kRoom = 12;
      CacheFixture f(room_for(kRoom, Eviction::lru));
      std::list<std::string> model;  // least recently used first
      std::mt19937 random(40);
      for (int step = 0; step < 600; ++step) {
        const std::string key = "k" + std::to_string(random() % 25);
        const bool there = std::find(model.begin(), model.end(), key) != model.end();
        const bool reads = random() % 2 == 0;
        if (reads) {
          REQUIRE(f->touch(key) == there);
        } else {
          REQUIRE(f->put(key, step));
        }
        if (there) model.remove(key);
        if (there || !reads) model.push_back(key);
        if (model.size() > kRoom) model.pop_front();
        f->flush();
        auto sorted = std::vector<std::string>(model.begin(), model.end());
        std::sort(sorted.begin(), sorted.end());
        std::string all;
        for (const std::string& each : sorted) all += (all.empty() ? "" : " ") + each;
        REQUIRE(f.keys() == all);
        if (backwards && step == 300) {
          f.clock->set_wall(1'000'000);
          (void)f->clear();  // older entries would be invisible because their time is in the future
          model.clear();
        }
      }
    }
  }

  TEST_CASE("the eviction order is kept when the clock stops or goes back") {
    CacheFixture f(room_for(3, Eviction::fifo));
    put_each(f, {"a"});
    f.clock->advance(1h);
    put_each(f, {"b"});
    f->flush();
    f.clock->set_wall(1'000'000);
    put_each(f, {"c"});
    f.reopen();  // the last stamp is read from the file
    put_each(f, {"d"});
    f->flush();
    CHECK(f.shell("SELECT cache_key FROM cache_entries ORDER BY inserted_at") == "b\nc\nd\n");
  }

  TEST_CASE("clock keeps entries read since they were last skipped and evicts the others") {
    CacheFixture f(room_for(10, Eviction::clock));
    for (const std::string& key : numbered("k", 10)) CHECK(f->put(key, 1));
    f->flush();
    for (const char* key : {"k0", "k2", "k4"}) CHECK(f->get<int>(key) == 1);
    f.fill("new ", 4);
    f->flush();
    for (const char* key : {"k0", "k2", "k4"}) CHECK(f->contains(key));
    for (const char* key : {"k1", "k3", "k5", "k6"}) CHECK_FALSE(f->contains(key));
    // One read protects an entry once, not for ever.
    f.fill("newer ", 10);
    f->flush();
    CHECK_FALSE(f->contains("k0"));
  }

  TEST_CASE("s3fifo keeps entries that are read often during a scan") {
    CacheFixture f(room_for(200, Eviction::s3fifo));
    const auto hot = numbered("hot ", 50);
    f.fill("hot ", 50);
    f->flush();
    for (int round = 0; round < 4; ++round) {
      for (const std::string& key : hot) CHECK(f->get<std::string>(key).has_value());
    }
    f.fill("scan ", 2'000);
    f->flush();
    int kept = 0;
    for (const std::string& key : hot) kept += f->contains(key) ? 1 : 0;
    CHECK(kept >= 40);  // an eviction skips at most four entries that were read
    CHECK(f->stats().entries <= 200);
  }

  TEST_CASE("a calculation with eviction fifo marks no touches and ignores reads") {
    struct Post {
      int id;
    };
    for (const Eviction eviction : {Eviction::lru, Eviction::clock, Eviction::s3fifo}) {
      INFO(std::string(to_string(eviction)));
      CacheFixture f(room_for(4, eviction));
      Registry registry(f.cache());
      auto& posts = registry.resource<Post>("Post", &Post::id);
      auto once = posts.calculation("once", [](const Post& post) { return post.id; });
      posts.cache_calculation("once", {.eviction = Eviction::fifo});
      CHECK(to_string(*posts.calculations().front().policy) == "ttl forever, eviction fifo");
      for (int id = 1; id <= 4; ++id) (void)once(Post{id});
      f->flush();
      for (int i = 0; i < 3; ++i) {
        (void)once(Post{1});
        (void)once.cached(Post{1});
      }
      CHECK(f->stats().touches_marked == 0);
      (void)once(Post{5});
      f->flush();
      CHECK(f.keys() == "Post:2:once Post:3:once Post:4:once Post:5:once");
    }
  }

  TEST_CASE("a calculation accepts only fifo as its own eviction policy") {
    struct Post {
      int id;
    };
    CacheFixture f;
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    (void)posts.calculation("once", [](const Post& post) { return post.id; });
    const auto error =
        thrown_by([&] { posts.cache_calculation("once", {.eviction = Eviction::lru}); });
    REQUIRE(error);
    CHECK(error->code() == ErrorCode::misuse);
    CHECK(error->subject() == "eviction");
    CHECK(has(error->what(), "once"));
  }

  TEST_CASE("eviction none refuses writes at the limit and removes expired entries") {
    CacheFixture f(room_for(3, Eviction::none));
    CHECK(f->put("a", 1));
    CHECK(f->put("b", 1, {.ttl = 1h}));
    CHECK(f->put("c", 1));
    CHECK(f->put("d", 1));  // the queue accepts it, the store refuses it
    f->flush();
    CHECK(f.keys() == "a b c");
    CHECK(f->stats().evicted == 0);
    CHECK(f->stats().refused == 1);
    CHECK(f.heard.count(NoticeKind::refused) == 1);
    CHECK(f.heard.last(NoticeKind::refused).subject == "d");
    CHECK(f->put("a", 2));  // an overwrite needs no room
    f->flush();
    CHECK(f->get<int>("a") == 2);
    CHECK(f->stats().refused == 1);
    f.clock->advance(1h);
    CHECK(f->put("e", 1));
    f->flush();
    CHECK(f.keys() == "a c e");
    CHECK(f->stats().expired == 1);
    CHECK(f->erase("a"));
    CHECK(f->put("f", 1));
    f->flush();
    CHECK(f.keys() == "c e f");
  }

  TEST_CASE("put returns false at the limit with eviction none and commit durability") {
    CacheFixture f({.limits = {.max_entries = 1},
                    .durability = Durability::commit,
                    .eviction = Eviction::none});
    CHECK(f->put("a", 1));
    CHECK_FALSE(f->put("b", 1));
    CHECK_FALSE(f->contains("b"));
    CHECK(f->put("a", 2));
    CHECK(f->get<int>("a") == 2);
  }

  TEST_CASE("an overwrite past the byte limit is refused with eviction none and leaves no value") {
    CacheFixture f(
        {.limits = {.max_bytes = 100'000, .max_entry_bytes = 90'000}, .eviction = Eviction::none});
    CHECK(f->put("a", std::string(50'000, 'a')));
    CHECK(f->put("b", std::string(10'000, 'b')));
    f->flush();
    CHECK(f->put("b", std::string(80'000, 'B')));
    f->flush();
    CHECK(f->stats().refused == 1);
    const auto b = f->get<std::string>("b");
    CHECK_FALSE(b.has_value());  // the put removed the old value, the new one was refused
    CHECK(f->get<std::string>("a")->size() == 50'000);
  }

  TEST_CASE("each policy works on a file that was used with another policy") {
    CacheFixture f;
    f.options.limits.max_entries = 40;
    const std::vector<Eviction> order = {Eviction::s3fifo, Eviction::lru,    Eviction::clock,
                                         Eviction::none,   Eviction::s3fifo, Eviction::fifo,
                                         Eviction::clock,  Eviction::lru};
    std::mt19937 random(55);
    for (std::size_t i = 0; i < order.size(); ++i) {
      INFO(std::string(to_string(order[i])));
      f.options.eviction = order[i];
      f.reopen();
      const std::string prefix = "round " + std::to_string(i) + ' ';
      for (int n = 0; n < 60; ++n) {
        CHECK(f->put(prefix + std::to_string(n), n));
        (void)f->get<int>(prefix + std::to_string(random() % 60));
      }
      f.check_file();
      CHECK(f->stats().entries == 40);
      if (order[i] != Eviction::none) CHECK(f->contains(prefix + "59"));
    }
  }

  TEST_CASE("an entry that was read and is now too large to be rewritten is evicted") {
    Options options = room_for(3, Eviction::lru);
    options.limits.max_entry_bytes = 8 * MiB;
    CacheFixture f(options);
    CHECK(f->put("big", std::string(3 * MiB, 'x')));
    f->flush();
    put_each(f, {"a", "b"});
    f->flush();
    f.clock->advance(1s);
    CHECK(f->get<std::string>("big").has_value());
    f->flush();
    f.options.limits.max_entry_bytes = MiB;
    f.listen_to_removals();
    f.reopen();
    put_each(f, {"c"});
    f->flush();
    CHECK(f.heard.removals() == std::vector<std::string>{"big evicted"});
    CHECK(f->stats().evicted == 1);
    CHECK(f->stats().entries == 3);
  }

  TEST_CASE("on_removal gets the cause: evicted, expired, replaced or erased") {
    CacheFixture f(room_for(2, Eviction::fifo));
    f.listen_to_removals();
    put_each(f, {"a", "b"});
    f->flush();
    put_each(f, {"c"});
    f->flush();
    put_each(f, {"c"});
    f->flush();
    CHECK(f->erase("c"));
    CHECK(f->put("d", 1, {.ttl = 1s}));
    f->flush();
    f.clock->advance(1s);
    f.run_to_the_end();
    CHECK(f->clear() == 1);
    CHECK(f.heard.removals() ==
          std::vector<std::string>{"a evicted", "c replaced", "c erased", "d expired", "b erased"});
  }

  TEST_CASE("without eviction, entries from a clock in the future make room for new ones") {
    CacheFixture f({.limits = {.max_entries = 2'500}, .eviction = Eviction::none});
    f.listen_to_removals();
    f.fill("now", 100);
    f->flush();
    const std::int64_t right = f.clock->wall_now();
    constexpr std::int64_t kYears = std::int64_t{75} * 365 * 86'400 * 1'000'000;
    f.clock->set_wall(right + kYears);
    f.fill("future", 2'400);
    f->flush();
    CHECK(f->stats().entries == 2'500);
    f.clock->set_wall(right + 1'000);
    SUBCASE("in the same process") {}
    SUBCASE("after a restart") { f.reopen(); }

    (void)f->run_maintenance();
    CHECK(f->stats().entries == 2'500);  // nothing is deleted that is not in the way
    f.fill("new", 2'400);
    f->flush();
    CHECK(f->stats().refused == 0);
    CHECK(f->stats().expired == 2'400);
    for (const std::string& key : numbered("new", 2'400)) CHECK(f.in_file(key));
    for (const std::string& key : numbered("now", 100)) CHECK(f->contains(key));
    CHECK(f->put("too many", "x"));
    f->flush();
    CHECK_FALSE(f->contains("too many"));
    CHECK(f->stats().refused == 1);
  }

  TEST_CASE("without eviction, entries make room when the clock is set back once more") {
    CacheFixture f(room_for(10, Eviction::none));
    constexpr std::int64_t kDay = std::int64_t{86'400} * 1'000'000;
    const std::int64_t right = f.clock->wall_now();
    const auto set_day = [&](std::int64_t day) { f.clock->set_wall(right + day * kDay); };
    set_day(100);
    f.fill("a", 9);
    f->flush();
    set_day(200);
    f.fill("b", 1);
    f->flush();
    set_day(150);  // only "b" is from the future
    f.fill("c", 1);
    f->flush();
    CHECK(f->stats().expired == 1);
    set_day(5);  // all are
    f.fill("d", 5);
    f->flush();
    CHECK(f->stats().refused == 0);
    for (const std::string& key : numbered("d", 5)) CHECK(f->contains(key));
  }
}
