#include "support/checking_threads.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <optional>
#include <random>
#include <type_traits>
#include <utility>

#include "support/cache_fixture.hpp"
#include "support/keyed_value.hpp"

namespace ashmemo::test {
namespace {

constexpr int kSharedKeys = 500;
constexpr std::size_t kSharedBytes = 100;
constexpr std::size_t kComputedKeys = 100;
constexpr std::size_t kItems = 200;

std::string shared_value(const std::string& key) { return value_of(key, 0, kSharedBytes); }

}  // namespace

/// The work of one thread.
class CheckingThreads::Caller {
 public:
  Caller(CheckingThreads& all, int number)
      : cache_(all.cache_),
        work_(all.work_),
        text_(all.text_),
        random_(static_cast<unsigned>(number)) {
    const std::string prefix = 't' + std::to_string(number) + ' ';
    for (std::string& key : numbered(prefix, work_.own_keys))
      own_.push_back({std::move(key), {}, {}});
  }

  void run() {
    while (!stopping) {
      try {
        step();
      } catch (const std::exception& error) {
        report("a call threw", error.what());
      }
      ++calls;
    }
  }

  std::atomic<bool> stopping{false};
  std::atomic<std::int64_t> calls{0};
  // Only this thread uses these until it has ended.
  std::int64_t hits = 0;
  std::int64_t refused = 0;
  std::int64_t longest = 0;
  std::string wrong;

  void add_stored(std::map<std::string, std::string>& all) const {
    for (const Own& own : own_) {
      if (own.stored) all[own.key] = *own.stored;
    }
  }

 private:
  using Found = std::optional<std::string>;
  struct Own {
    std::string key;
    Found stored;
    // The values that were not accepted since `stored`. While the cache has no file, a read may
    // return them from memory.
    std::vector<std::string> refused;
  };

  void step() {
    const std::size_t what = below(100);
    if (what < 35) {
      put_own(any_own());
    } else if (what < 60) {
      get_own(any_own());
    } else if (what < 75) {
      get_shared();
    } else if (what < 80) {
      get_many();
    } else if (what < 90) {
      compute();
    } else if (what < 95) {
      load();
    } else {
      erase_own(any_own());
    }
  }

  void put_own(Own& own) {
    std::string value = new_value(own.key);
    if (timed([&] { return cache_.put(own.key, value); })) {
      own.stored = std::move(value);
      own.refused.clear();
    } else {
      ++refused;
      own.refused.push_back(std::move(value));
    }
  }

  void get_own(const Own& own) {
    const Found found = timed([&] { return cache_.get<std::string>(own.key); });
    if (found == own.stored || (work_.is_disturbed && (!found || is_foreign(own.key, *found)))) {
      return;
    }
    const bool was_refused =
        found && std::find(own.refused.begin(), own.refused.end(), *found) != own.refused.end();
    if (!work_.is_disturbed || !was_refused) report(own.key, found);
  }

  void erase_own(Own& own) {
    (void)timed([&] { return cache_.erase(own.key); });
    own.stored.reset();
    own.refused.clear();
  }

  void get_shared() {
    const std::string key = any_shared();
    check_shared(key, timed([&] { return cache_.get<std::string>(key); }));
  }

  void get_many() {
    std::vector<std::string> keys;
    keys.reserve(10);
    for (int i = 0; i < 10; ++i) keys.push_back(any_shared());
    const auto found = timed([&] { return cache_.get_many<std::string>(keys); });
    for (std::size_t i = 0; i < keys.size(); ++i) check_shared(keys[i], found[i]);
  }

  void check_shared(const std::string& key, const Found& found) {
    hits += found ? 1 : 0;
    if (found == shared_value(key)) return;
    if (!work_.is_disturbed || (found && !is_foreign(key, *found))) report(key, found);
  }

  void compute() {
    const std::string key = "c" + std::to_string(below(kComputedKeys));
    const std::string value =
        timed([&] { return cache_.get_or_compute(key, [&] { return new_value(key); }); });
    if (!is_value_of(key, value)) report(key, value);
  }

  void load() {
    std::vector<Item> page;
    page.reserve(5);
    for (int i = 0; i < 5; ++i) page.push_back({static_cast<std::int64_t>(below(kItems))});
    const std::vector<std::string> texts = timed([&] { return text_(page); });
    for (std::size_t i = 0; i < page.size(); ++i) {
      if (texts[i] != text_of(page[i])) report("item", texts[i]);
    }
  }

  template <class F>
  std::invoke_result_t<const F&> timed(const F& call) {
    using Steady = std::chrono::steady_clock;
    const Steady::time_point begin = Steady::now();
    auto result = call();
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - begin);
    longest = std::max<std::int64_t>(longest, took.count());
    return result;
  }

  void report(const std::string& key, const Found& found) {
    if (wrong.size() > 2'000) return;  // enough to see what is wrong
    wrong += key + ": " + (found ? found->substr(0, 80) : "nothing") + '\n';
  }

  [[nodiscard]] static bool is_foreign(const std::string& key, const std::string& value) {
    return value == foreign_value(key);
  }
  [[nodiscard]] std::size_t below(std::size_t bound) { return random_() % bound; }
  [[nodiscard]] Own& any_own() { return own_[below(own_.size())]; }
  [[nodiscard]] std::string any_shared() { return "k" + std::to_string(below(kSharedKeys)); }
  [[nodiscard]] std::string new_value(const std::string& key) {
    return value_of(key, static_cast<std::uint32_t>(random_()), below(work_.max_bytes));
  }

  Cache& cache_;
  const Work work_;
  const Calculation<Item, std::string> text_;
  std::mt19937 random_;
  std::vector<Own> own_;
};

std::string CheckingThreads::text_of(const Item& item) {
  return value_of("item " + std::to_string(item.id), static_cast<std::uint32_t>(item.id), 50);
}

std::vector<std::string> CheckingThreads::shared_keys() { return numbered("k", kSharedKeys); }

void CheckingThreads::store_shared(Cache& cache) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& key : shared_keys()) pairs.emplace_back(key, shared_value(key));
  (void)cache.put_many(pairs);
  cache.flush();
}

CheckingThreads::CheckingThreads(Cache& cache, Work work)
    : cache_(cache),
      work_(work),
      registry_(cache),
      items_(registry_.resource<Item>("Item", &Item::id)) {
  text_ = items_.calculation("text", text_of);
  items_.cache_calculation("text", {});
  for (int i = 0; i < work.threads; ++i) callers_.push_back(std::make_unique<Caller>(*this, i));
  for (const auto& caller : callers_) {
    threads_.emplace_back([each = caller.get()] { each->run(); });
  }
}

CheckingThreads::~CheckingThreads() { stop(); }

void CheckingThreads::stop() {
  for (const auto& caller : callers_) caller->stopping = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool CheckingThreads::go_on(int calls) const {
  return std::all_of(callers_.begin(), callers_.end(), [calls](const auto& caller) {
    const std::int64_t until = caller->calls + calls;
    return becomes_true([&] { return caller->calls >= until; });
  });
}

std::string CheckingThreads::wrong() const {
  std::string all;
  for (const auto& caller : callers_) all += caller->wrong;
  return all;
}

std::int64_t CheckingThreads::calls() const {
  std::int64_t sum = 0;
  for (const auto& caller : callers_) sum += caller->calls;
  return sum;
}

std::int64_t CheckingThreads::hits() const {
  std::int64_t sum = 0;
  for (const auto& caller : callers_) sum += caller->hits;
  return sum;
}

std::int64_t CheckingThreads::refused() const {
  std::int64_t sum = 0;
  for (const auto& caller : callers_) sum += caller->refused;
  return sum;
}

std::int64_t CheckingThreads::longest_call() const {
  std::int64_t longest = 0;
  for (const auto& caller : callers_) longest = std::max(longest, caller->longest);
  return longest;
}

std::map<std::string, std::string> CheckingThreads::stored() const {
  std::map<std::string, std::string> all;
  for (const auto& caller : callers_) caller->add_stored(all);
  return all;
}

}  // namespace ashmemo::test
