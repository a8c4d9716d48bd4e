// Another program holds the write lock for seconds while threads work. The cache may refuse puts,
// but no call hangs, every stored entry is found, and accepted writes are stored after the lock.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "storm/report.hpp"
#include "storm/storm.hpp"
#include "support/cache_fixture.hpp"
#include "support/checking_threads.hpp"
#include "support/child.hpp"
#include "support/temp_dir.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

// A call waits for at most 100 ms. A call that takes longer than this hangs.
constexpr std::int64_t kHangs = std::chrono::microseconds(10s).count();

Options options_with(Heard& heard) {
  Options options = storm_options();
  options.memory_bytes = 0;   // every read reads the file
  options.queue_bytes = MiB;  // small, so that it is full soon
  options.hooks.on_error = [&heard](const Notice& notice) { heard.add(notice); };
  return options;
}

void hold_lock(const std::string& path) {
  const std::chrono::seconds time = seconds_of_one_kind(1) >= 30s ? 30s : 3s;
  Program shell({"sqlite3", path});
  shell.send(".timeout 60000\nBEGIN IMMEDIATE; SELECT 'held';");
  REQUIRE(shell.read_line() == "held");
  show_progress(fmt::format("locked: for {} s", time.count()));
  std::this_thread::sleep_for(time);
  shell.send("ROLLBACK;");
  CHECK(shell.finish().exit_code == 0);
}

/// Whether another process finds the last value of each key that the threads stored.
bool file_has_what_was_stored(const std::string& path, const CheckingThreads& threads) {
  std::string all;
  for (const auto& [key, value] : threads.stored()) all += key + '|' + value + '\n';
  const ChildEnd found = run_program({"sqlite3", path,
                                      "SELECT cache_key, value FROM cache_entries"
                                      " WHERE cache_key LIKE 't%' ORDER BY 1"});
  return found.exit_code == 0 && found.said == all;
}

}  // namespace

TEST_SUITE("storm") {
  TEST_CASE("no call hangs and no value is missed under a foreign lock of some seconds") {
    const TempDir dir;
    const std::string path = dir.path("cache.db");
    Heard heard;
    Cache cache(path, options_with(heard));
    CheckingThreads::store_shared(cache);
    CheckingThreads threads(cache, {.own_keys = 200, .max_bytes = 4'000});
    hold_lock(path);
    threads.stop();
    CHECK(becomes_true([&] { return cache.stats().queue_bytes == 0; }));
    CHECK(threads.wrong() == "");
    CHECK(threads.longest_call() < kHangs);
    CHECK(threads.hits() > 100);
    CHECK(threads.refused() > 0);
    CHECK(cache.stats().unread == 0);
    CHECK(cache.stats().dropped >= threads.refused());
    CHECK(heard.count(NoticeKind::busy) == 1);
    CHECK(heard.count(NoticeKind::everything_removed) == 0);
    CHECK(file_has_what_was_stored(path, threads));
    print_line(fmt::format("locked   {} calls, {} puts refused, longest call {} ms",
                           grouped(threads.calls()), grouped(threads.refused()),
                           grouped(threads.longest_call() / 1000)));
    CHECK(becomes_true([&] { return cache.health().state == HealthState::ok; }));
    CHECK(cache.check().ok);
  }
}
