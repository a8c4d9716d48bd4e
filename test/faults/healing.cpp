#include <doctest/doctest.h>

#include <filesystem>

#include "faults/trial.hpp"

// The parts of Trial that check how a cache reports a fault, and its state after the fault has
// ended.

namespace ashmemo::test {
namespace {

constexpr std::chrono::seconds kLongerThanAnyDelay{61};

}  // namespace

void Trial::expect_reported_while_failing() {
  if (!cache_) return;
  const Health first = try_to_work();
  const Health second = try_to_work();
  if (first.state == second.state && first.state != HealthState::ok) {
    CHECK_MESSAGE(second.since == first.since, second.last_error);
  }
}

Health Trial::try_to_work() {
  clock->advance(kLongerThanAnyDelay);
  if (!flush()) CHECK(cache().health().state != HealthState::ok);
  cache().run_maintenance(Duration());
  const Health health = cache().health();
  const Troubles reported = troubles();
  INFO(std::string(to_string(health.state))
       << ", reported: " << reported.names() << ", last: " << health.last_error);
  CHECK(health.foreign_reader == reported.has(NoticeKind::foreign_reader));
  CHECK((health.state != HealthState::ok) == reported.are_degrading());
  if (reported.are_degrading()) CHECK(has(health.last_error, path));
  return health;
}

Troubles Trial::troubles() const {
  Troubles reported;
  const std::vector<Notice> notices = heard.notices();
  for (std::size_t i = notices_before_; i < notices.size(); ++i) reported.add(notices[i]);
  return reported;
}

void Trial::expect_healed(bool may_be_quarantined) {
  if (options.access == Access::read_write) cache().set_limits({});
  recover();
  expect_all_correct();
  expect_results_kept();
  expect_sound();
  close();
  reopened_ = true;
  options = Options{};
  options.hooks.clock = clock;
  options.hooks.worker = WorkerMode::manual;
  options.hooks.on_error = [this](const Notice& notice) { heard.add(notice); };
  CHECK(cache().health().state == HealthState::ok);
  expect_all_correct();
  expect_results_kept();
  expect_sound();
  CHECK_MESSAGE((may_be_quarantined || !was_quarantined()), "an intact file was quarantined");
  close();
}

// Several times, because one attempt may schedule the next.
void Trial::recover() {
  for (int i = 0; i < 5; ++i) {
    clock->advance(kLongerThanAnyDelay);
    executor->run();
    cache().run_maintenance(Duration());
  }
  const Health health = cache().health();
  CHECK_MESSAGE(health.state == HealthState::ok, health.last_error);
  const Troubles reported = troubles();
  CHECK_MESSAGE(reported.empty(), "reported, and its end was not: " << reported.names());
  nothing_fails = true;
}

void Trial::expect_sound() {
  if (options.access == Access::read_only) return;
  CHECK(put("probe"));
  cache().flush();
  CHECK(cache().get<std::string>("probe").has_value());
  const CheckReport report = cache().check();
  CHECK_MESSAGE(report.ok, (report.problems.empty() ? "" : report.problems.front()));
  CHECK(report.entries_off_by == 0);
  CHECK(report.bytes_off_by == 0);
  CHECK(cache().stats().worker_errors == 0);
  const auto is_queue_empty = [this] { return cache().stats().queue_bytes == 0; };
  // With threads a refresh may still run.
  CHECK((options.hooks.worker == WorkerMode::thread ? becomes_true(is_queue_empty)
                                                    : is_queue_empty()));
}

void Trial::expect_all_correct() {
  std::vector<std::string> keys;
  for (const auto& [key, known] : known_) keys.push_back(key);
  get_many(keys);
  for_each();
}

bool Trial::was_quarantined() const {
  for (const auto& each : std::filesystem::directory_iterator(dir.path())) {
    if (has(each.path().filename().string(), ".corrupt-")) return true;
  }
  return false;
}

}  // namespace ashmemo::test
