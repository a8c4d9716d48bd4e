#include <doctest/doctest.h>

#include <filesystem>

#include "faults/trial.hpp"

// How a trial ends: what a cache tells of a fault, and what it is when nothing fails any more.

namespace ashmemo::test {
namespace {

constexpr std::chrono::seconds kLongerThanAnyBackOff{61};

}  // namespace

void Trial::expect_told_while_failing() {
  if (!cache_) return;
  const Health first = try_to_work();
  const Health second = try_to_work();
  if (first.state == second.state && first.state != HealthState::ok) {
    CHECK_MESSAGE(second.since == first.since, second.last_error);
  }
}

Health Trial::try_to_work() {
  clock->advance(kLongerThanAnyBackOff);
  if (!flush()) CHECK(cache().health().state != HealthState::ok);
  cache().run_maintenance(Duration());
  const Health health = cache().health();
  const Troubles told = troubles();
  INFO(std::string(to_string(health.state))
       << ", told: " << told.names() << ", last: " << health.last_error);
  CHECK(health.foreign_reader == told.has(NoticeKind::foreign_reader));
  CHECK((health.state != HealthState::ok) == told.degrade());
  if (told.degrade()) CHECK(has(health.last_error, path));
  return health;
}

Troubles Trial::troubles() const {
  Troubles told;
  const std::vector<Notice> notices = heard.notices();
  for (std::size_t i = heard_before_; i < notices.size(); ++i) told.hear(notices[i]);
  return told;
}

void Trial::expect_healed(bool may_be_quarantined) {
  if (options.access == Access::read_write) cache().set_limits({});
  recover();
  expect_everything_right();
  expect_results_kept();
  expect_in_order();
  close();
  reopened_ = true;
  options = Options{};
  options.hooks.clock = clock;
  options.hooks.worker = WorkerMode::manual;
  options.hooks.on_error = [this](const Notice& notice) { heard.add(notice); };
  CHECK(cache().health().state == HealthState::ok);
  expect_everything_right();
  expect_results_kept();
  expect_in_order();
  CHECK_MESSAGE((may_be_quarantined || !was_quarantined()), "a sound file was set aside");
  close();
}

// Some times: one try may lead to another.
void Trial::recover() {
  for (int i = 0; i < 5; ++i) {
    clock->advance(kLongerThanAnyBackOff);
    executor->run();
    cache().run_maintenance(Duration());
  }
  const Health health = cache().health();
  CHECK_MESSAGE(health.state == HealthState::ok, health.last_error);
  const Troubles told = troubles();
  CHECK_MESSAGE(told.empty(), "told, and no end of it: " << told.names());
  nothing_fails = true;
}

void Trial::expect_in_order() {
  if (options.access == Access::read_only) return;
  CHECK(put("probe"));
  cache().flush();
  CHECK(cache().get<std::string>("probe").has_value());
  const CheckReport report = cache().check();
  CHECK_MESSAGE(report.ok, (report.problems.empty() ? "" : report.problems.front()));
  CHECK(report.entries_off_by == 0);
  CHECK(report.bytes_off_by == 0);
  CHECK(cache().stats().worker_errors == 0);
  CHECK(cache().stats().queue_bytes == 0);
}

void Trial::expect_everything_right() {
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
