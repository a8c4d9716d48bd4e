#include "crash/load.hpp"

#include <fmt/format.h>

#include <ashmemo/registry.hpp>
#include <chrono>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <thread>
#include <utility>
#include <vector>

namespace ashmemo::test {
namespace {

struct Post {
  std::uint32_t id;
};

/// What the threads of one load share.
struct Shared {
  Cache& cache;
  Journal& journal;
  const Load& load;
  Calculation<Post, std::int64_t> square;
  std::shared_mutex clearing{};  // alone while everything is removed, so that the order is known
};

/// The only thread that writes its group of keys.
class Caller {
 public:
  Caller(Shared& shared, std::uint32_t group)
      : shared_(shared),
        cache_(shared.cache),
        journal_(shared.journal),
        group_(group),
        version_(shared.load.first_version),
        random_(shared.load.seed * kGroups + group) {}

  void run() {
    for (int i = 0; i < shared_.load.steps && !journal_.is_full(); ++i) step();
  }

 private:
  std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
  std::uint32_t any_key() { return group_ * kKeysOfGroup + any(kKeysOfGroup); }

  void step() {
    const std::uint32_t dice = any(1000);
    if (dice < 3) return clear();
    const std::shared_lock lock(shared_.clearing);
    if (dice < 450) return put(any_key());
    if (dice < 520) return put_many();
    if (dice < 640) return erase(any_key());
    if (dice < 646) return erase_group();
    if (dice < 700) return load_posts();
    if (dice < 720) return flush();
    if (dice < 730) return (void)cache_.run_maintenance();
    if (dice < 733) return cache_.compact();
    if (dice < 736) return change_limits();
    read(any_key());
  }

  PutOptions options() const {
    PutOptions options;
    if (expires(version_)) options.ttl = std::chrono::milliseconds(5);
    return options;
  }

  void put(std::uint32_t key) {
    ++version_;
    journal_.add(Step::put_begun, key, version_);
    const bool taken = cache_.put(key_name(key), text_of(key, version_), options());
    journal_.add(taken ? Step::put_accepted : Step::put_refused, key, version_);
  }

  void put_many() {
    ++version_;
    std::vector<std::pair<std::string, std::string>> pairs;
    const std::uint32_t first = any(kKeysOfGroup);
    const std::uint32_t end = std::min(kKeysOfGroup, first + 1 + any(12));
    for (std::uint32_t i = first; i < end; ++i) {
      const std::uint32_t key = group_ * kKeysOfGroup + i;
      journal_.add(Step::put_begun, key, version_);
      pairs.emplace_back(key_name(key), text_of(key, version_));
    }
    const bool taken = cache_.put_many(pairs, options()) == pairs.size();
    for (std::uint32_t i = first; i < end; ++i) {
      journal_.add(taken ? Step::put_accepted : Step::put_refused, group_ * kKeysOfGroup + i,
                   version_);
    }
  }

  void erase(std::uint32_t key) {
    journal_.add(Step::erase_begun, key);
    (void)cache_.erase(key_name(key));
    journal_.add(Step::erase_ended, key);
  }

  void erase_group() {
    journal_.add(Step::group_begun, group_);
    (void)cache_.erase_prefix(group_prefix(group_));
    journal_.add(Step::group_ended, group_);
  }

  void clear() {
    const std::unique_lock alone(shared_.clearing);
    journal_.add(Step::clear_begun);
    (void)cache_.clear();
    journal_.add(Step::clear_ended);
  }

  void flush() {
    journal_.add(Step::flush_begun);
    cache_.flush();
    journal_.add(Step::flush_ended);
  }

  void load_posts() {
    std::vector<Post> page;
    for (std::uint32_t i = 0; i < 10; ++i) page.push_back({any(kPosts)});
    const std::vector<std::int64_t> results = shared_.square(page);
    for (std::size_t i = 0; i < page.size(); ++i) {
      if (results[i] != post_result(page[i].id)) journal_.add(Step::wrong_value);
    }
  }

  void change_limits() {
    if (!shared_.load.limits_change) return;
    cache_.set_limits({.max_entries = 20 + any(100), .max_bytes = 512 * KiB});
  }

  void read(std::uint32_t key) {
    const auto text = cache_.get<std::string>(key_name(key));
    if (text && !version_of(key, *text)) journal_.add(Step::wrong_value, key);
  }

  Shared& shared_;
  Cache& cache_;
  Journal& journal_;
  const std::uint32_t group_;
  std::uint64_t version_;
  std::mt19937_64 random_;
};

}  // namespace

std::string group_prefix(std::uint32_t group) { return fmt::format("group{}:", group); }

std::string key_name(std::uint32_t key) {
  return fmt::format("{}{}", group_prefix(key / kKeysOfGroup), key % kKeysOfGroup);
}

std::string post_key(std::uint32_t post) { return fmt::format("Post:{}:square", post); }

std::int64_t post_result(std::uint32_t post) { return std::int64_t{post} * post + 1; }

bool expires(std::uint64_t version) { return version % 16 == 0; }

Cache run_load(Load load, Journal& journal) {
  load.options.hooks.on_error = [&journal](const Notice& notice) {
    if (notice.kind == NoticeKind::removal_uncommitted) journal.add(Step::uncommitted);
  };
  Cache cache(load.path, load.options);
  Registry registry(cache);
  auto& posts = registry.resource<Post>("Post", &Post::id);
  auto square = posts.calculation("square", [](const Post& post) { return post_result(post.id); });
  posts.cache_calculation("square", {.ttl = std::chrono::hours(1)});
  Shared shared{cache, journal, load, square};
  std::vector<std::thread> threads;
  for (std::uint32_t group = 0; group < kGroups; ++group) {
    threads.emplace_back([&shared, group] { Caller(shared, group).run(); });
  }
  for (std::thread& thread : threads) thread.join();
  return cache;
}

}  // namespace ashmemo::test
