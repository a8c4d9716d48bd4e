// Many threads on one cache.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <ashmemo/cache.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/keyed_value.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Runs `work(number)` on `count` threads and waits for all of them.
void on_threads(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
}

/// A value that contains its key, so that a read of another key's value or of a part is detected.
std::string value_for(const std::string& key, std::mt19937& random) {
  return value_of(key, static_cast<std::uint32_t>(random()), random() % 600);
}

/// Waits until each count has increased.
void await_one_more(const std::array<std::atomic<int>, 2>& counts) {
  for (const std::atomic<int>& count : counts) {
    for (const int before = count; count == before;) std::this_thread::yield();
  }
}

class Storm {
 public:
  explicit Storm(CacheFixture& f) : f_(f) {}

  void run(int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int step = 0; step < 1'500; ++step) one_step(random);
  }
  [[nodiscard]] int wrong() const { return wrong_; }
  [[nodiscard]] std::int64_t asked() const { return asked_; }

 private:
  static std::string key(std::mt19937& random) { return "k" + std::to_string(random() % 40); }

  void check_value(const std::string& key, const std::optional<std::string>& found) {
    ++asked_;
    if (found && !is_value_of(key, *found)) ++wrong_;
  }

  void one_step(std::mt19937& random) {
    const std::string k = key(random);
    const auto dice = random() % 1'000;
    if (dice < 400) {
      check_value(k, f_->get<std::string>(k));
    } else if (dice < 700) {
      if (!f_->put(k, value_for(k, random))) ++wrong_;
    } else if (dice < 800) {
      (void)f_->erase(k);
    } else if (dice < 850) {
      many(random);
    } else if (dice < 900) {
      (void)f_->touch(k);
    } else if (dice < 940) {
      if (const auto entry = f_->entry(k); entry && entry->key != k) ++wrong_;
    } else if (dice < 970) {
      check_value(k, f_->get_or_compute(k, [&] { return value_for(k, random); }));
    } else if (dice < 985) {
      f_->for_each("k1", [&](const EntryInfo& entry, ValueView value) {
        if (!is_value_of(entry.key, std::string(value.bytes()))) ++wrong_;
      });
    } else if (dice < 990) {
      (void)f_->erase_prefix("k3");
    } else if (dice < 993) {
      (void)f_->clear();
    } else if (dice < 997) {
      f_->flush();
    } else {
      (void)f_->run_maintenance(1ms);
    }
  }

  void many(std::mt19937& random) {
    std::vector<std::string> keys;
    for (int i = 0; i < 20; ++i) keys.push_back(key(random));
    const auto found = f_->get_many<std::string>(keys);
    for (std::size_t i = 0; i < keys.size(); ++i) check_value(keys[i], found[i]);
  }

  CacheFixture& f_;
  std::atomic<int> wrong_{0};
  std::atomic<std::int64_t> asked_{0};
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("no read of eight threads finds a wrong value during random operations") {
    CacheFixture f({.limits = {.max_entries = 30, .max_bytes = 60'000}});
    SUBCASE("with a thread") { f.use_thread(); }
    SUBCASE("manual") { f.options.queue_bytes = 64 * KiB; }
    f.options.timing.max_wait = 10min;
    f.options.limits.max_entry_bytes = 10'000;
    (void)f.cache();
    Storm storm(f);
    on_threads(8, [&](int thread) { storm.run(thread); });
    CHECK(storm.wrong() == 0);
    CHECK(f->stats().dropped == 0);
    CHECK(f->stats().hits + f->stats().misses == storm.asked());
    const CheckReport report = f->check();
    CHECK(report.ok);
    for (const std::string& problem : report.problems) MESSAGE(problem);
  }

  TEST_CASE("a thread that alone writes a key always reads its last write") {
    CacheFixture f;
    f.use_thread();
    f.options.timing.max_wait = 10min;
    f.options.timing.flush_interval = 0s;
    (void)f.cache();
    std::atomic<int> wrong{0};
    on_threads(4, [&](int thread) {
      const std::string prefix = "of " + std::to_string(thread) + ' ';
      std::mt19937 random(static_cast<unsigned>(thread));
      std::vector<int> model(8, 0);
      for (int step = 1; step <= 2'000; ++step) {
        const std::size_t i = random() % model.size();
        const std::string key = prefix + std::to_string(i);
        if (random() % 2 == 0) {
          if (f->get<int>(key).value_or(0) != model[i]) ++wrong;
        } else if (random() % 4 == 0) {
          if (f->erase(key) != (model[i] != 0)) ++wrong;
          model[i] = 0;
        } else {
          if (!f->put(key, step)) ++wrong;
          model[i] = step;
        }
      }
    });
    CHECK(wrong == 0);
  }

  TEST_CASE("a reader never sees an older value of a key after a newer one") {
    CacheFixture f;
    f.use_thread();
    f.options.timing.max_wait = 10min;
    f.options.timing.flush_interval = 0s;
    CHECK(f->put("k", 0));
    std::atomic<bool> done{false};
    std::atomic<int> wrong{0};
    std::array<std::atomic<int>, 2> reads{};
    on_threads(3, [&](int thread) {
      if (thread == 2) {
        for (int i = 1; i <= 3'000; ++i) {
          // Both readers read at least once in every 100 puts.
          if (i % 100 == 1) await_one_more(reads);
          (void)f->put("k", i);
        }
        done = true;
        return;
      }
      int last = 0;
      while (!done) {
        const int now = f->get<int>("k").value_or(-1);
        if (now < last) ++wrong;
        last = now;
        ++reads[static_cast<std::size_t>(thread)];
      }
    });
    CHECK(wrong == 0);
    CHECK(f->get<int>("k") == 3'000);
  }

  TEST_CASE("each entry is erased exactly once by many threads") {
    CacheFixture f;
    f.use_thread();
    f.options.timing.max_wait = 10min;
    f.fill("k", 400);
    f->flush();
    std::atomic<int> erased{0};
    on_threads(4, [&](int) {
      for (const std::string& key : numbered("k", 400)) erased += f->erase(key) ? 1 : 0;
    });
    CHECK(erased == 400);
    CHECK(f->stats().erased == 400);
    CHECK(f.rows_in_file() == 0);
  }

  TEST_CASE("threads get misses and false after the cache is closed under them") {
    CacheFixture f;
    f.use_thread();
    f.fill("k", 50);
    const auto is_right = [](const std::optional<std::string>& found) {
      return !found || *found == "x" || *found == std::string(10, 'x');
    };
    std::atomic<bool> closed{false};
    std::atomic<int> wrong{0};
    std::atomic<int> late{0};  // calls that found or stored something after close
    on_threads(5, [&](int thread) {
      if (thread == 0) {
        for (int i = 0; i < 20; ++i) (void)f->get<std::string>("k" + std::to_string(i));
        f->close();
        closed = true;
        return;
      }
      std::mt19937 random(static_cast<unsigned>(thread));
      for (int after = 0; after < 100;) {
        const bool is_after = closed;  // read before the calls below begin
        const std::string key = "k" + std::to_string(random() % 60);
        const auto found = f->get<std::string>(key);
        const bool kept = f->put(key, "x");
        const bool erased = f->erase(key);
        const auto many = f->get_many<std::string>(numbered("k", 20));
        const bool any = std::any_of(many.begin(), many.end(), [](auto& one) { return one; });
        (void)f->stats();
        if (!is_right(found) || !std::all_of(many.begin(), many.end(), is_right)) ++wrong;
        if (is_after && (found || kept || erased || any || f->contains(key))) ++late;
        after += is_after ? 1 : 0;
      }
    });
    CHECK(wrong == 0);
    CHECK(late == 0);
    CHECK_FALSE(f->put("k", 1));
    CHECK(f->health().state == HealthState::closed);
  }

  TEST_CASE("touches of many threads are all counted") {
    CacheFixture f;
    f.use_thread();
    f.fill("k", 200);  // 40 touches for each row: too few for the cache to skip any
    f->flush();
    on_threads(8, [&](int) {
      for (int i = 0; i < 1'000; ++i) (void)f->touch("k" + std::to_string(i % 200));
    });
    f->flush();
    CHECK(f->stats().touches_marked == 8'000);
    CHECK(f->stats().touches_dropped == 0);
    std::int64_t counted = 0;
    f->for_each("k", [&](const EntryInfo& entry) { counted += entry.access_count; });
    CHECK(counted == 8'000);
  }
}
