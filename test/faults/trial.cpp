#include "faults/trial.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <utility>

namespace ashmemo::test {
namespace {

namespace fs = std::filesystem;

constexpr int kLongTexts = 5;
constexpr int kTexts = 30;
constexpr int kDue = 6;
constexpr int kKnownDocuments = 8;
constexpr std::size_t kLongText = 9'000;  // more than one page
constexpr std::size_t kText = 60;

bool is_long(std::string_view key) { return key.starts_with("long"); }

std::string value_of(const std::string& key, int generation) {
  std::string value = key + '#' + std::to_string(generation) + '#';
  value.resize(is_long(key) ? kLongText : kText, 'x');
  return value;
}

std::vector<std::string> keys_of_template() {
  std::vector<std::string> keys = numbered("old", kTexts);
  for (const std::string& key : numbered("long", kLongTexts)) keys.push_back(key);
  for (const std::string& key : numbered("due", kDue)) keys.push_back(key);
  return keys;
}

/// The files that every trial begins with: made once, with another program's hands off.
class Templates {
 public:
  Templates() {
    fs::create_directory(dir_.path("closed"));
    fs::create_directory(dir_.path("crashed"));
    Trial trial(File::none, {});
    for (const std::string& key : keys_of_template()) {
      REQUIRE(trial.put(
          key, key.starts_with("due") ? PutOptions{.ttl = std::chrono::hours(1)} : PutOptions{}));
    }
    auto page = documents();
    page.resize(kKnownDocuments);
    trial.load(page);
    trial.cache().flush();
    copy(trial.dir.path(), dir_.path("crashed"));
    trial.close();
    copy(trial.dir.path(), dir_.path("closed"));
  }

  void give(File file, const std::string& directory) const {
    if (file != File::none) {
      copy(dir_.path(file == File::filled ? "closed" : "crashed"), directory);
    }
  }

 private:
  static void copy(const std::string& from, const std::string& to) {
    fs::copy(from, to);
    fs::permissions(to, fs::perms::owner_all);
  }

  TempDir dir_;
};

void give_template(File file, const std::string& directory) {
  if (file == File::none) return;
  static const Templates templates;
  templates.give(file, directory);
}

}  // namespace

Trial::Trial(File file, Options given) : options(std::move(given)) {
  give_template(file, dir.path());
  if (file != File::none) {
    for (const std::string& key : keys_of_template()) known_[key].current = {value_of(key, 0)};
  }
  options.hooks.clock = clock;
  options.hooks.executor = executor;
  options.hooks.worker = WorkerMode::manual;
  options.hooks.on_error = [this](const Notice& notice) { heard.add(notice); };
}

Trial::~Trial() { close(); }

Cache& Trial::cache() {
  if (!cache_) cache_ = std::make_unique<Cache>(path, options);
  return *cache_;
}

void Trial::close() {
  if (cache_) {
    cache_->close();
    lost_writes_ = lost_writes();
  }
  drafts_.close();
  resource_ = nullptr;
  registry_.reset();
  cache_.reset();
}

// ------------------------------------------------------------------------------------------------
// what was stored

std::string Trial::next_value(const std::string& key) {
  return value_of(key, known_.contains(key) ? ++generation_ : 0);
}

void Trial::stored(const std::string& key, const std::string& value, bool taken) {
  Known& known = known_[key];
  if (taken) known.earlier.merge(std::exchange(known.current, {}));
  known.current.insert(value);
  known.removed = false;
}

void Trial::removed(Known& known) {
  known.earlier.merge(std::exchange(known.current, {}));
  known.removed = true;
}

void Trial::removed_prefix(const std::string& prefix) {
  for (auto& [key, known] : known_) {
    if (key.starts_with(prefix)) removed(known);
  }
}

void Trial::expect_right(const std::string& key, const std::optional<std::string>& answer) {
  INFO("key " << key);
  if (answer && !is_right(key, *answer)) FAIL_CHECK("a wrong value: " << answer->substr(0, 40));
}

// A write that was accepted and then dropped, and counted, leaves what was there. A removal that
// could not be committed, and was announced, may be gone when the file is opened again.
bool Trial::is_right(const std::string& key, const std::string& answer) {
  const Known& known = known_[key];
  if (known.current.contains(answer)) return true;
  if (!known.earlier.contains(answer)) return false;
  return known.removed ? may_be_back() : lost_writes();
}

bool Trial::may_be_there(const std::string& key) {
  const Known& known = known_[key];
  return !known.current.empty() || (!known.earlier.empty() && may_be_back());
}

bool Trial::may_be_back() const {
  return reopened_ && heard.count(NoticeKind::removal_uncommitted) > 0;
}

bool Trial::file_holds(const std::string& bytes) const { return has(read_file(path), bytes); }

bool Trial::lost_writes() { return lost_writes_ || (cache_ && cache_->stats().dropped > 0); }

// ------------------------------------------------------------------------------------------------
// calls

void Trial::get(const std::string& key) { expect_right(key, cache().get<std::string>(key)); }

void Trial::get_many(const std::vector<std::string>& keys) {
  const auto answers = cache().get_many<std::string>(keys);
  REQUIRE(answers.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) expect_right(keys[i], answers[i]);
}

void Trial::look_at(const std::string& key) {
  INFO("key " << key);
  const std::optional<EntryInfo> entry = cache().entry(key);
  if (entry || cache().contains(key)) CHECK(may_be_there(key));
  if (entry) CHECK(entry->key == key);
}

bool Trial::put(const std::string& key, PutOptions put_options) {
  const std::string value = next_value(key);
  const bool taken = cache().put(key, value, put_options);
  stored(key, value, taken);
  return taken;
}

void Trial::put_many(const std::vector<std::string>& keys, PutOptions put_options) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& key : keys) pairs.emplace_back(key, next_value(key));
  const std::size_t taken = cache().put_many(pairs, put_options);
  CHECK(taken <= pairs.size());
  for (const auto& [key, value] : pairs) stored(key, value, taken == pairs.size());
}

void Trial::get_or_compute(const std::string& key) {
  std::optional<std::string> computed;
  const std::string answer =
      cache().get_or_compute(key, [&] { return computed.emplace(next_value(key)); });
  if (computed) stored(key, *computed, false);
  expect_right(key, answer);
}

void Trial::get_or_compute_many(const std::vector<std::string>& keys) {
  std::map<std::string, std::string> computed;
  const auto answers = cache().get_or_compute_many<std::string>(
      keys, [&](std::span<const std::string_view> missing) {
        std::vector<std::string> values;
        for (const std::string_view key : missing) {
          values.push_back(computed[std::string(key)] = next_value(std::string(key)));
        }
        return values;
      });
  REQUIRE(answers.size() == keys.size());
  for (const auto& [key, value] : computed) stored(key, value, false);
  for (std::size_t i = 0; i < keys.size(); ++i) expect_right(keys[i], answers[i]);
}

void Trial::erase(const std::string& key) {
  (void)cache().erase(key);
  removed(known_[key]);
}

void Trial::erase_many(const std::vector<std::string>& keys) {
  CHECK(cache().erase_many(keys) <= keys.size());
  for (const std::string& key : keys) removed(known_[key]);
}

void Trial::erase_prefix(const std::string& prefix) {
  (void)cache().erase_prefix(prefix);
  removed_prefix(prefix);
}

void Trial::clear() {
  (void)cache().clear();
  removed_prefix("");
}

void Trial::for_each() {
  std::set<std::string> seen;
  cache().for_each("", [&](const EntryInfo& entry) {
    CHECK_MESSAGE(seen.insert(entry.key).second, "shown twice: " << entry.key);
  });
}

void Trial::for_each_value() {
  cache().for_each("", [&](const EntryInfo& entry, ValueView value) {
    if (known_.contains(entry.key)) expect_right(entry.key, Codec<std::string>::decode(value));
  });
}

void Trial::administer(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    const ErrorCode code = error.code();
    const bool named = code == ErrorCode::store_failed || code == ErrorCode::unavailable ||
                       code == ErrorCode::damaged;
    CHECK_MESSAGE(named, "an Error that administration does not name: " << error.what());
    CHECK_MESSAGE(has(error.what(), dir.path()), std::string(error.what()));
  }
}

// ------------------------------------------------------------------------------------------------
// afterwards

void Trial::expect_healed(bool may_be_set_aside) {
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
  CHECK_MESSAGE((may_be_set_aside || !was_set_aside()), "a sound file was set aside");
  close();
}

// Longer than any back-off, some times: one try may lead to another.
void Trial::recover() {
  for (int i = 0; i < 5; ++i) {
    clock->advance(std::chrono::seconds(61));
    executor->run();
    cache().run_maintenance(Duration());
  }
  const Health health = cache().health();
  CHECK_MESSAGE(health.state == HealthState::ok, health.last_error);
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

bool Trial::was_set_aside() const {
  for (const auto& each : fs::directory_iterator(dir.path())) {
    if (has(each.path().filename().string(), ".corrupt-")) return true;
  }
  return false;
}

}  // namespace ashmemo::test
