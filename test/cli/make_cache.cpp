// Creates the caches for the tests of the program ashmemo:
//
//   make_cache FILE               the known entries
//   make_cache FILE --many N      also N entries "Many:1", "Many:2" ... of 1 KB each
//   make_cache FILE --hold        opens FILE as an application, prints "open", and keeps the file
//                                 open until standard input ends
//
// The entries are 2.5 h and 3.5 h old. These texts stay the same while the tests run.

#include <ashmemo/ashmemo.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct Post {
  int id;
};

/// A clock that shows the time `ago` before now and does not run.
std::shared_ptr<ashmemo::ManualClock> clock_of(ashmemo::Duration ago) {
  const std::int64_t now = ashmemo::system_clock()->wall_now();
  return std::make_shared<ashmemo::ManualClock>(now - ago.count());
}

ashmemo::Options options_of(const std::shared_ptr<ashmemo::Clock>& clock) {
  ashmemo::Options options;
  options.limits.max_bytes = ashmemo::unlimited;
  options.timing.touch_interval = ashmemo::Duration();
  options.hooks.clock = clock;
  options.hooks.worker = ashmemo::WorkerMode::manual;
  return options;
}

/// Values that are put directly, 3 h 30 min ago. Some keys and values could control a terminal.
void put_directly(ashmemo::Cache& cache) {
  cache.put("theme", "dark");
  cache.put("evil\x1B[31m", "\x1B]0;owned\x07");
  cache.put("two\nlines", "one\ntwo");
  cache.put("it's \"quoted\"", "back\\slash");
  cache.put("[a,b]", 1);
  cache.put("no text \xFF", "\xC3\xBC\xFF");
  cache.put("nan", std::numeric_limits<double>::quiet_NaN());
  cache.put("infinite", std::numeric_limits<double>::infinity());
  cache.put("nothing", std::optional<int>());
  cache.put("blob", std::vector<std::uint16_t>{0x4101, 0x4242, 0xFF00});
  cache.put("large", std::string(20'000, 'x'));
  cache.put("soon", 0.25, {.ttl = 5h});  // expires in 1 h 30 min
  cache.put("past", 1, {.ttl = 2h});     // expired 1 h 30 min ago, not removed yet
}

/// Loads a page of posts. Then reads one result twice.
void calculate(ashmemo::Cache& cache, ashmemo::ManualClock& clock) {
  ashmemo::Registry registry(cache);
  auto& posts = registry.resource<Post>("Post", &Post::id);
  auto words = posts.calculation("word_count", [&clock](const Post& post) {
    clock.advance(1500ms);
    return post.id * 10;
  });
  auto mood = posts.calculation("mood\x1B[5m", [](const Post&) { return 0.5; });
  auto rate = posts.calculation("rate", [](const Post& post) { return std::to_string(post.id); });
  posts.cache_calculation("word_count", {.ttl = 1h, .stale_while_revalidate = 9h});
  posts.cache_calculation("rate", {.ttl = 1h, .stale_if_error = 9h});
  posts.cache_calculation("mood\x1B[5m", {.ttl = 48h});
  const std::vector<Post> page = {{1}, {7}, {42}};
  (void)posts.load(page, words, mood);
  (void)rate(page[0]);
  for (int i = 0; i < 2; ++i) (void)words(page[2]);
  cache.flush();
}

void fill(ashmemo::Cache& cache, int count) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (int i = 1; i <= count; ++i) {
    pairs.emplace_back("Many:" + std::to_string(i), std::string(1'000, 'm'));
  }
  cache.put_many(pairs);
}

void make(const std::string& file, int many) {
  const auto clock = clock_of(3h + 30min);
  ashmemo::Cache cache(file, options_of(clock));
  fill(cache, many);
  put_directly(cache);
  cache.flush();
  clock->advance(1h);  // 2 h 30 min ago
  calculate(cache, *clock);
}

void hold(const std::string& file) {
  const ashmemo::Cache cache(file, options_of(ashmemo::system_clock()));
  std::cout << "open" << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    if (arguments.empty()) throw std::runtime_error("usage: make_cache FILE [--many N | --hold]");
    const std::string file(arguments[0]);
    if (arguments.size() == 2 && arguments[1] == "--hold") {
      hold(file);
    } else {
      make(file, arguments.size() == 3 ? std::atoi(argv[3]) : 0);
    }
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_cache: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
