// What a cache does to the process around it: its threads, its signals, its descriptors, and the
// end of the process.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"
#include "support/rendezvous.hpp"
#include "support/sanitized.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

struct Post {
  int id;
};

/// The name of each thread of the library, and the mask of the signals that it blocks.
std::map<std::string, unsigned long long> library_threads() {
  std::map<std::string, unsigned long long> found;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    if (!name.starts_with("ashmemo-")) continue;
    std::ifstream status(task.path() / "status");
    for (std::string word; status >> word;) {
      if (word == "SigBlk:") status >> std::hex >> found[name];
    }
  }
  return found;
}

bool is_blocked(unsigned long long mask, int signal) { return (mask >> (signal - 1) & 1U) != 0; }

int open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<int>(std::distance(begin(all), end(all)));
}

/// Puts more entries than removals may wait for their hooks.
void fill(Cache& cache) {
  std::vector<std::pair<std::string, int>> pairs;
  for (const std::string& key : numbered("k", 10'100)) pairs.emplace_back(key, 1);
  (void)cache.put_many(pairs);
}

/// From now on this process cannot start a thread. Does not work for root.
void allow_no_more_threads() {
  drop_privileges();
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_NPROC, &none) != 0) throw std::runtime_error("cannot set the limit");
}

constexpr int kExitCode = 7;

/// Ends the process instead of running a task.
struct ExitingExecutor final : Executor {
  void post(std::function<void()>) override { std::exit(kExitCode); }
};

/// Uses a cache that exists until the end of the process, as a static object does. The process ends
/// by exit(kExitCode) in a function that the cache calls.
void exit_inside(const std::string& where, const std::string& path) {
  const auto exit_in = [&where](std::string_view place) {
    if (where == place) std::exit(kExitCode);
  };
  const auto here = std::this_thread::get_id();
  Options options;
  options.hooks.on_error = [&](const Notice&) { exit_in("on_error"); };
  options.hooks.on_removal = [&](const Removal&) { exit_in("on_removal"); };
  if (where == "on_removal in the call of erase") {
    options.hooks.worker = WorkerMode::manual;
    options.hooks.on_removal = [](const Removal&) { std::exit(kExitCode); };
  }
  if (where == "on_error") options.limits.max_entry_bytes = 1;  // reports that the value is refused
  if (where == "an executor") options.hooks.executor = std::make_shared<ExitingExecutor>();
  static Cache cache(path, options);
  static Registry registry(cache);
  auto& posts = registry.resource<Post>("Post", &Post::id);
  const auto twice = posts.calculation("twice", [&](const Post& post) {
    exit_in(std::this_thread::get_id() == here ? "a calculation" : "a refresh");
    return 2 * post.id;
  });
  posts.cache_calculation("twice", {.ttl = 1us, .stale_while_revalidate = 1h});
  (void)twice(Post{3});
  (void)twice(Post{3});  // stale, so it starts a refresh
  if (where != "a refresh") {
    (void)cache.put("k", 1);
    (void)code_thrown_by([] { cache.flush(); });  // the cache may be closed already
    (void)cache.erase("k");
  }
  while (true) ::pause();  // until another thread ends the process
}

/// Calls exit() in a hook on this thread while the worker's thread waits for the end of the hooks.
void exit_before_a_waiting_worker(const std::string& path) {
  const auto here = std::this_thread::get_id();
  Events events;
  const AtTestPoints points([&](std::string_view point) {
    if (point == "events: waits") events.happened("waits");
  });
  Options options;
  options.limits.max_entries = 1;
  static Cache* made = nullptr;
  options.hooks.on_removal = [&](const Removal&) {
    if (std::this_thread::get_id() != here) return;
    while (events.times("waits") == 0) fill(*made);
    std::exit(kExitCode);
  };
  static Cache cache(path, options);
  made = &cache;
  while (true) {
    fill(cache);
    cache.flush();
  }
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("the threads of a cache have names and block the signals of the process") {
    CacheFixture f;
    f.use_thread();
    Registry registry(f.cache());
    auto& posts = registry.resource<Post>("Post", &Post::id);
    const auto twice = posts.calculation("twice", [](const Post& post) { return 2 * post.id; });
    posts.cache_calculation("twice", {.ttl = 1us, .stale_while_revalidate = 1h});
    CHECK(twice(Post{3}) == 6);
    const auto has_both = [&] {
      (void)twice(Post{3});  // stale, so it starts the thread for refreshes
      return library_threads().size() == 2;
    };
    REQUIRE(becomes_true(has_both));
    for (const auto& [thread, mask] : library_threads()) {
      const auto& name = thread;  // a lambda cannot capture a structured binding
      INFO(name);
      CHECK((name == "ashmemo-worker" || name == "ashmemo-refresh"));
      for (const int outside : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM}) {
        CHECK(is_blocked(mask, outside));
      }
      for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) CHECK_FALSE(is_blocked(mask, own));
    }
  }

  TEST_CASE("the thread that opens a cache keeps its own signal mask") {
    CacheFixture f;
    f.use_thread();
    (void)f.cache();
    sigset_t mask;
    REQUIRE(::pthread_sigmask(SIG_BLOCK, nullptr, &mask) == 0);
    CHECK(::sigismember(&mask, SIGTERM) == 0);
  }

  TEST_CASE("a cache without a worker thread reports it and works as in manual mode") {
    const TempDir dir;
    dir.open_to_all();
    const ChildEnd end = in_child([&] {
      allow_no_more_threads();
      Heard heard;
      Options options;
      options.hooks.on_error = [&heard](const Notice& notice) { heard.add(notice); };
      std::string said;
      {
        Cache cache(dir.path("cache.db"), options);
        said = heard.last(NoticeKind::worker_failed).what;
        cache.put("k", 1);
        said += cache.erase("none") ? " erased" : " not erased";  // waits for the commit
      }
      return said + ", " + std::to_string(Cache(dir.path("cache.db")).get<int>("k").value_or(0));
    });
    CHECK_MESSAGE(has(end.said, "cannot start the thread 'ashmemo-worker': "), end.said);
    CHECK_MESSAGE(end.said.ends_with(" not erased, 1"), end.said);
  }

  TEST_CASE("a cache that may not go on throws if its worker thread cannot start") {
    const TempDir dir;
    dir.open_to_all();
    const ChildEnd end = in_child([&] {
      allow_no_more_threads();
      Options options;
      options.when_unavailable = WhenUnavailable::throw_error;
      const auto error = thrown_by([&] { const Cache cache(dir.path("cache.db"), options); });
      return error ? std::string(to_string(error->code())) + ' ' + error->what() : "nothing";
    });
    CHECK_MESSAGE(end.said.starts_with("unavailable " + dir.path("cache.db") +
                                       ": cannot start the thread 'ashmemo-worker': "),
                  end.said);
  }

  TEST_CASE("a program may call exit in a hook, calculation or executor of a static cache") {
    if (kIsSanitized) return;  // at the exit of a forked child they may hang
    for (const char* const where : {"on_error", "on_removal", "on_removal in the call of erase",
                                    "a calculation", "a refresh", "an executor"}) {
      INFO(std::string(where));
      const TempDir dir;
      const ChildEnd end = in_child([&] {
        exit_inside(where, dir.path("cache.db"));
        return "returned";
      });
      CHECK(end.exit_code == kExitCode);
      CHECK_MESSAGE(end.said.empty(), end.said);
    }
  }

  TEST_CASE("a program may call exit in a hook while the worker waits for that hook") {
    if (kIsSanitized) return;  // at the exit of a forked child they may hang
    const TempDir dir;
    const ChildEnd end = in_child([&] {
      exit_before_a_waiting_worker(dir.path("cache.db"));
      return "returned";
    });
    CHECK(end.exit_code == kExitCode);
  }

  TEST_CASE("a load works in a destructor at the end of its thread") {
    // The thread creates this object before its first load. So the object is destroyed after the
    // thread_local objects of the library.
    struct Loads {
      Cache* cache = nullptr;
      int* loaded = nullptr;
      ~Loads() {
        *loaded = cache->get_or_compute("late", [] { return 5; });
      }
    };
    CacheFixture f;
    Cache& cache = f.cache();
    int loaded = 0;
    std::thread([&] {
      thread_local Loads loads;
      loads.cache = &cache;
      loads.loaded = &loaded;
      CHECK(cache.get_or_compute("early", [] { return 4; }) == 4);
    }).join();
    CHECK(loaded == 5);
  }

  TEST_CASE("a load answers stale results if no refresh can start") {
    const TempDir dir;
    dir.open_to_all();
    const ChildEnd end = in_child([&] {
      Heard heard;
      Options options;
      options.hooks.on_error = [&heard](const Notice& notice) { heard.add(notice); };
      options.hooks.worker = WorkerMode::manual;
      const auto clock = std::make_shared<ManualClock>();
      options.hooks.clock = clock;
      allow_no_more_threads();
      Cache cache(dir.path("cache.db"), options);
      Registry registry(cache);
      auto& posts = registry.resource<Post>("Post", &Post::id);
      const auto twice = posts.calculation("twice", [](const Post& post) { return 2 * post.id; });
      posts.cache_calculation("twice", {.ttl = 1s, .stale_while_revalidate = 1h});
      (void)twice(Post{3});
      clock->advance(2s);
      std::string said = std::to_string(twice(Post{3})) + ' ';
      cache.flush();
      return said + heard.last(NoticeKind::calculation_failed).what;
    });
    CHECK_MESSAGE(end.said.starts_with("6 "), end.said);
    CHECK_MESSAGE(has(end.said, "cannot start the thread 'ashmemo-refresh': "), end.said);
  }

  TEST_CASE("an open cache has seven descriptors, and six if it is exclusive") {
    for (const bool exclusive : {false, true}) {
      INFO(exclusive);
      const int before = open_descriptors();
      CacheFixture f({.memory_bytes = 0, .exclusive = exclusive});
      CHECK(f->put("k", 1));
      f->flush();
      CHECK(f->get<int>("k") == 1);
      CHECK(open_descriptors() - before == (exclusive ? 6 : 7));
      f.close();
      CHECK(open_descriptors() == before);
    }
  }

  TEST_CASE("an exclusive cache has no FILE-shm and no other program can read its file") {
    CacheFixture f({.memory_bytes = 0, .exclusive = true});
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->get<int>("k") == 1);
    CHECK_FALSE(exists(f.path + "-shm"));
    const ChildEnd shell = run_program({"sqlite3", f.path, "SELECT * FROM cache_entries"});
    CHECK_MESSAGE(has(shell.said, "database is locked"), shell.said);
    f.close();
    CHECK(f.shell("SELECT cache_key FROM cache_entries") == "k\n");
  }

  TEST_CASE("an exclusive cache survives that a copy is restored over its files") {
    const TempDir dir;
    const std::string copies = dir.path("copies");
    std::filesystem::create_directories(copies);
    const ChildEnd end = in_child([&] {
      Options options;
      options.memory_bytes = 0;
      options.exclusive = true;
      options.hooks.worker = WorkerMode::manual;
      Cache cache(dir.path("cache.db"), options);
      const auto use = [&](int round) {
        const std::string text(1000, static_cast<char>('a' + round % 26));
        for (const std::string& key : numbered("k", 200)) {
          (void)cache.put(key, text);
          (void)cache.get<std::string>(key);
        }
        (void)thrown_by([&] { cache.flush(); });
      };
      const auto copy = [&](const std::string& from, const std::string& to) {
        for (const std::string name : {"cache.db", "cache.db-wal", "cache.db-shm"}) {
          if (!exists(from + '/' + name)) continue;
          std::filesystem::copy_file(from + '/' + name, to + '/' + name,
                                     std::filesystem::copy_options::overwrite_existing);
        }
      };
      use(0);
      copy(dir.path(), copies);
      for (int round = 1; round < 10; ++round) {
        use(round);
        copy(copies, dir.path());
      }
      use(10);
      return "alive";
    });
    CHECK(end.said == "alive");
  }
}
