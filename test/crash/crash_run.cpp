#include "crash/crash_run.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include "storm/report.hpp"
#include "support/cache_fixture.hpp"
#include "support/dying_vfs.hpp"
#include "support/power_cut_vfs.hpp"
#include "support/raw_database.hpp"

namespace ashmemo::test {
namespace {

constexpr std::uint64_t kVersionsOfProcess = 1'000'000;
constexpr int kMostChanges = 3'000;

Promise promise_of(Durability durability) {
  return durability == Durability::relaxed ? Promise::flushed : Promise::put;
}

int files_set_aside(const std::string& path) {
  int count = 0;
  const std::filesystem::path whole(path);
  for (const auto& entry : std::filesystem::directory_iterator(whole.parent_path())) {
    if (entry.path().string().starts_with(path + ".corrupt-")) ++count;
  }
  return count;
}

}  // namespace

int number_of_kills() {
  const char* const given = std::getenv("ASHMEMO_CRASH_KILLS");
  return given == nullptr ? 100 : std::atoi(given);
}

std::uint64_t seed_of_run() {
  const char* const given = std::getenv("ASHMEMO_CRASH_SEED");
  const std::uint64_t seed =
      given == nullptr ? std::random_device()() : std::strtoull(given, nullptr, 10);
  print_line(fmt::format("ASHMEMO_CRASH_SEED={}", seed));
  return seed;
}

Load CrashedCache::draw_load(std::mt19937_64& random, Durability durability, std::uint64_t kill) {
  Load load;
  load.path = path_;
  load.seed = random();
  load.first_version = kill * kVersionsOfProcess;
  load.options.durability = durability;
  load.options.timing.flush_interval = std::chrono::milliseconds(random() % 4);
  load.options.timing.touch_interval = std::chrono::milliseconds(random() % 20);
  load.options.timing.maintenance_interval = std::chrono::milliseconds(5);
  load.options.memory_bytes = random() % 2 == 0 ? 0 : 256 * KiB;
  load.options.queue_bytes = random() % 4 == 0 ? 64 * KiB : 4 * MiB;
  if (!is_small_) return load;
  load.limits_change = true;
  load.options.limits = {.max_entries = 50, .max_bytes = 512 * KiB};
  load.options.eviction = static_cast<Eviction>(1 + random() % 4);
  return load;
}

void CrashedCache::look(Promise promise) {
  oracle_.replay(journal_.records(), promise);
  count_calls();
  journal_.clear();
  Heard heard;
  Options options;
  options.hooks.on_error = [&heard](const Notice& notice) { heard.add(notice); };
  options.when_unavailable = WhenUnavailable::throw_error;
  if (is_small_) options.limits = {.max_entries = 1000, .max_bytes = 8 * MiB};
  {
    Cache cache(path_, options);
    CHECK(cache.health().state == HealthState::ok);
    const CheckReport report = cache.check();
    CHECK(report.ok);
    CHECK(report.entries_off_by == 0);
    CHECK(report.bytes_off_by == 0);
    check_values(cache);
    cache.close();
  }
  for (const Notice& notice : heard.notices()) {
    CHECK_MESSAGE(notice.kind == NoticeKind::foreign_reader, notice.what);
  }
  CHECK(files_set_aside(path_) == 0);
  recount();
}

// A record that begins something and the one that ends it: what has no end was cut off.
void CrashedCache::count_calls() {
  int open = 0;
  for (const Record& record : journal_.records()) {
    CHECK(record.step != Step::wrong_value);
    switch (record.step) {
      case Step::put_begun:
      case Step::erase_begun:
      case Step::group_begun:
      case Step::clear_begun:
      case Step::flush_begun:
        ++open;
        ++calls_;
        break;
      case Step::uncommitted:
        ++uncommitted_;
        break;
      case Step::none:
      case Step::wrong_value:
        break;
      default:
        --open;
    }
  }
  cut_calls_ += open;
}

void CrashedCache::check_values(Cache& cache) {
  for (std::uint32_t key = 0; key < kKeys; ++key) {
    const auto found = cache.get<std::string>(key_name(key));
    found_ += found ? 1 : 0;
    const std::string wrong = oracle_.judge(key, found);
    CHECK_MESSAGE(wrong.empty(), wrong);
  }
  for (std::uint32_t post = 0; post < kPosts; ++post) {
    const auto result = cache.get<std::int64_t>(post_key(post));
    CHECK(result.value_or(post_result(post)) == post_result(post));
  }
}

// Only once the cache is closed: nobody else in its process opens the file before.
void CrashedCache::recount() const {
  RawDatabase raw(path_);
  CHECK(raw.rows("PRAGMA integrity_check") == "ok");
  CHECK(raw.rows("SELECT entries, bytes FROM cache_totals") ==
        raw.rows("SELECT count(*), coalesce(sum(byte_size), 0) FROM cache_entries"));
}

CrashRun::CrashRun(std::uint64_t seed)
    : random_(seed),
      caches_{CrashedCache(dir_.path("whole.db"), false),
              CrashedCache(dir_.path("small.db"), true)} {}

CrashRun::Plan CrashRun::draw_plan() {
  Plan plan;
  plan.durability = static_cast<Durability>(any(3));
  plan.has_reader = any(4) == 0;
  plan.steps = 400;
  ++kill_;
  return plan;
}

// It tells the test when it has nothing left to do.
Child CrashRun::start(const Plan& plan, const std::function<void()>& before) {
  std::vector<Load> loads;
  for (CrashedCache& cache : caches_) {
    loads.push_back(cache.draw_load(random_, plan.durability, kill_));
    loads.back().steps = plan.steps;
  }
  return Child([=, this](Child::Parent& parent) -> std::string {
    before();
    std::optional<Cache> whole;
    std::thread beside([&] { whole = run_load(loads[0], caches_[0].journal()); });
    const Cache small = run_load(loads[1], caches_[1].journal());
    beside.join();
    parent.tell();
    parent.wait_for();
    return {};
  });
}

void CrashRun::start_reader() {
  reader_ = std::make_unique<Program>(std::vector<std::string>{"sqlite3", caches_[0].path()});
  reader_->send("BEGIN; SELECT count(*) FROM cache_entries;");
  (void)reader_->read_line();
}

// A process that has crashed, or ended, by itself is not one that was killed.
void CrashRun::kill(Child& child) {
  const ChildEnd end = child.kill();
  CHECK_MESSAGE(end.exit_code == 128 + SIGKILL, "kill " << kill_
                                                        << " found a process that had ended with "
                                                        << end.exit_code << ' ' << end.said);
}

void CrashRun::kill_at_a_moment() {
  const Plan plan = draw_plan();
  if (plan.has_reader && exists(caches_[0].path())) start_reader();
  Child child = start(plan, [] {});
  // The moment is chosen by the machine's clock, not by the child, so this waits.
  const int most = any(4) == 0 ? 5'000 : 150'000;
  std::this_thread::sleep_for(std::chrono::microseconds(any(most)));
  kill(child);
  look(promise_of(plan.durability));
}

void CrashRun::kill_at_a_change() {
  const Plan plan = draw_plan();
  if (plan.has_reader && exists(caches_[0].path())) start_reader();
  const std::int64_t change = draw_change();
  Child child = start(plan, [change] { die_at_file_change(change); });
  if (!child.wait_for()) ++inside_changes_;
  kill(child);
  look(promise_of(plan.durability));
}

void CrashRun::cut_power(Durability durability) {
  Plan plan = draw_plan();
  plan.durability = durability;
  const std::int64_t change = draw_change();
  const std::uint64_t seed = random_();
  Child child = start(plan, [=] { cut_power_at_file_change(change, seed); });
  if (!child.wait_for()) ++inside_changes_;
  kill(child);
  look(durability == Durability::power ? Promise::put : Promise::nothing);
}

// Half of them among the many of the work; the others as often among the first few, of the opening.
std::int64_t CrashRun::draw_change() {
  if (any(2) == 0) return 1 + any(kMostChanges);
  std::uniform_real_distribution<double> exponent(0, std::log(kMostChanges));
  return static_cast<std::int64_t>(std::exp(exponent(random_)));
}

void CrashRun::look(Promise promise) {
  INFO("kill " << kill_);
  // Sometimes the other program goes on reading.
  if (any(2) == 0) reader_.reset();
  for (CrashedCache& cache : caches_) cache.look(promise);
  reader_.reset();
  show_progress(fmt::format("kill {}", kill_));
}

void CrashRun::report(const std::string& what) const {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
  print_line(
      fmt::format("{}: {} kills, {} of them at a change of a file; {} calls, {} cut off, {} "
                  "removals told as uncommitted; {} entries found; {:.1f} s",
                  what, kill_, inside_changes_, grouped(caches_[0].calls() + caches_[1].calls()),
                  caches_[0].cut_calls() + caches_[1].cut_calls(),
                  caches_[0].uncommitted() + caches_[1].uncommitted(),
                  caches_[0].found() + caches_[1].found(), took.count()));
  CHECK(caches_[0].calls() > 0);
}

}  // namespace ashmemo::test
