#include "crash/crash_run.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

#include "storm/report.hpp"
#include "support/dying_vfs.hpp"
#include "support/power_cut_vfs.hpp"

namespace ashmemo::test {
namespace {

constexpr int kMaxChanges = 3'000;
constexpr int kMaxChangesOfOpening = 40;
constexpr int kMinKills = 20;  // with fewer kills, chance alone may miss some kinds

Promise promise_of(Durability durability) {
  return durability == Durability::relaxed ? Promise::flushed : Promise::put;
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

// The child notifies the test when it has done all steps.
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
    parent.notify();
    parent.wait_for();
    return {};
  });
}

void CrashRun::start_reader() {
  reader_ = std::make_unique<Program>(std::vector<std::string>{"sqlite3", caches_[0].path()});
  reader_->send("BEGIN; SELECT count(*) FROM cache_entries;");
  (void)reader_->read_line();
}

// The process must be alive until the kill. Otherwise it crashed or ended by itself.
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
  // This sleeps, because the moment must not depend on the child's work.
  const int max_wait = any(4) == 0 ? 5'000 : 150'000;
  std::this_thread::sleep_for(std::chrono::microseconds(any(max_wait)));
  kill(child);
  if (!child.wait_for()) ++at_work_;
  const std::int64_t change = draw_early_change(kMaxChangesOfOpening);
  kill_while_opening([change] { die_at_file_change(change); });
  check(promise_of(plan.durability));
}

void CrashRun::kill_at_a_change() {
  const Plan plan = draw_plan();
  if (plan.has_reader && exists(caches_[0].path())) start_reader();
  const std::int64_t change = draw_change();
  Child child = start(plan, [change] { die_at_file_change(change); });
  if (!child.wait_for()) ++inside_changes_;
  kill(child);
  const std::int64_t next = draw_early_change(kMaxChangesOfOpening);
  kill_while_opening([next] { die_at_file_change(next); });
  check(promise_of(plan.durability));
}

void CrashRun::cut_power(Durability durability) {
  Plan plan = draw_plan();
  plan.durability = durability;
  const std::int64_t change = draw_change();
  const std::uint64_t seed = random_();
  Child child = start(plan, [=] { cut_power_at_file_change(change, seed); });
  if (!child.wait_for()) ++inside_changes_;
  kill(child);
  const std::int64_t next = draw_early_change(kMaxChangesOfOpening);
  kill_while_opening([=] { cut_power_at_file_change(next, seed); });
  check(durability == Durability::power ? Promise::put : Promise::nothing);
}

void CrashRun::kill_while_opening(const std::function<void()>& before) {
  if (kill_ % 5 != 0) return;
  Child child([&](Child::Parent& parent) -> std::string {
    before();
    for (const CrashedCache& cache : caches_) {
      Heard heard;
      cache.open(heard).close();
    }
    parent.notify();
    parent.wait_for();
    return {};
  });
  if (!child.wait_for()) ++inside_openings_;
  kill(child);
}

// Half of the numbers are evenly distributed. The other half prefers the first changes, so that
// openings are killed often enough.
std::int64_t CrashRun::draw_change() {
  return any(2) == 0 ? 1 + any(kMaxChanges) : draw_early_change(kMaxChanges);
}

std::int64_t CrashRun::draw_early_change(int max_change) {
  std::uniform_real_distribution<double> exponent(0, std::log(max_change));
  return static_cast<std::int64_t>(std::exp(exponent(random_)));
}

void CrashRun::check(Promise promise) {
  INFO("kill " << kill_);
  // In half of the checks the other program is still reading.
  if (any(2) == 0) reader_.reset();
  for (CrashedCache& cache : caches_) cache.check(promise);
  reader_.reset();
  show_progress(fmt::format("kill {}", kill_));
}

int CrashRun::sum(int (CrashedCache::*count)() const noexcept) const {
  return (caches_[0].*count)() + (caches_[1].*count)();
}

// A run that tested nothing must fail.
void CrashRun::report(const std::string& what) const {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began_;
  print_line(fmt::format(
      "{}: {} kills: {} at a change of a file, {} at another moment of the work; {} kills of the "
      "next opening; {} calls, {} of them interrupted; {} crashes with unchecked removals; {} "
      "entries and {} results found; {:.1f} s",
      what, kill_, inside_changes_, at_work_, inside_openings_, grouped(sum(&CrashedCache::calls)),
      sum(&CrashedCache::interrupted_calls), sum(&CrashedCache::crashes_unchecked),
      grouped(sum(&CrashedCache::found)), grouped(sum(&CrashedCache::results_found)),
      took.count()));
  CHECK(sum(&CrashedCache::calls) > 0);
  if (kill_ < kMinKills) return;
  CHECK(inside_changes_ > kill_ / 8);
  CHECK(inside_changes_ + at_work_ > kill_ / 2);
  // With few kills, chance alone may kill no opening.
  CHECK((inside_openings_ > 0 || kill_ < 5 * kMinKills));
  CHECK(sum(&CrashedCache::interrupted_calls) > 0);
  CHECK(sum(&CrashedCache::found) > 0);
  CHECK(sum(&CrashedCache::results_found) > 0);
  CHECK(sum(&CrashedCache::crashes_unchecked) * 10 < kill_);
}

}  // namespace ashmemo::test
