#include "support/cache_fixture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/child.hpp"

namespace ashmemo::test {

void Heard::add(const Notice& notice) {
  const std::lock_guard lock(mutex_);
  notices_.push_back(notice);
}

void Heard::add(const Removal& removal) {
  const std::lock_guard lock(mutex_);
  removals_.push_back(std::string(removal.key) + ' ' + std::string(to_string(removal.cause)));
}

std::vector<Notice> Heard::notices() const {
  const std::lock_guard lock(mutex_);
  return notices_;
}

int Heard::count(NoticeKind kind) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(std::count_if(notices_.begin(), notices_.end(),
                                        [kind](const Notice& each) { return each.kind == kind; }));
}

Notice Heard::last(NoticeKind kind) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(notices_.rbegin(), notices_.rend(),
                                  [kind](const Notice& each) { return each.kind == kind; });
  return found == notices_.rend() ? Notice{kind, {}, {}} : *found;
}

std::vector<std::string> Heard::removals() const {
  const std::lock_guard lock(mutex_);
  return removals_;
}

void Heard::clear() {
  const std::lock_guard lock(mutex_);
  notices_.clear();
  removals_.clear();
}

Options manual_options(std::shared_ptr<Clock> clock) {
  Options options;
  options.memory_bytes = 0;
  options.hooks.clock = std::move(clock);
  options.hooks.worker = WorkerMode::manual;
  return options;
}

CacheFixture::CacheFixture(Options given) : options(std::move(given)) {
  options.hooks.clock = clock;
  options.hooks.worker = WorkerMode::manual;
  if (!options.hooks.on_error) {
    options.hooks.on_error = [this](const Notice& notice) { heard.add(notice); };
  }
}

CacheFixture::~CacheFixture() {
  try {
    if (in_order_ && cache_) check_open_cache();
    close();
    if (in_order_ && exists(path)) check_rows();
  } catch (const std::exception& error) {
    FAIL_CHECK(std::string(error.what()));
  }
}

Cache& CacheFixture::cache() {
  if (!cache_) {
    raw_.reset();  // opening reads and closes the file, which drops the POSIX locks of this process
    cache_ = std::make_unique<Cache>(path, options);
  }
  return *cache_;
}

void CacheFixture::close() {
  raw_.reset();
  cache_.reset();
}

void CacheFixture::reopen() {
  close();
  (void)cache();
}

void CacheFixture::listen_to_removals() {
  options.hooks.on_removal = [this](const Removal& removal) { heard.add(removal); };
}

void CacheFixture::use_thread() {
  options.hooks.worker = WorkerMode::thread;
  options.hooks.clock = nullptr;
}

RawDatabase& CacheFixture::raw() {
  if (!raw_) raw_ = std::make_unique<RawDatabase>(path);
  return *raw_;
}

std::string CacheFixture::shell(const std::string& sql) const {
  const ChildEnd end = run_program({"sqlite3", path, sql});
  if (end.exit_code != 0) throw std::runtime_error(sql + ": " + end.said);
  return end.said;
}

bool CacheFixture::in_file(const std::string& key) {
  return raw().rows("SELECT 'found' FROM cache_entries WHERE cache_key = '" + key + "'") == "found";
}

std::int64_t CacheFixture::rows_in_file() {
  return raw().integer("SELECT count(*) FROM cache_entries");
}

void CacheFixture::fill(const std::string& prefix, int count, std::size_t bytes) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& key : numbered(prefix, count)) {
    pairs.emplace_back(key, std::string(bytes, 'x'));
  }
  REQUIRE(cache().put_many(pairs) == pairs.size());
}

std::string CacheFixture::keys(std::string_view prefix) {
  std::string all;
  cache().for_each(prefix, [&](const EntryInfo& entry) {
    if (!all.empty()) all += ' ';
    all += entry.key;
  });
  return all;
}

int CacheFixture::run_to_the_end() {
  int runs = 1;
  for (; cache().run_maintenance(Duration()); ++runs) REQUIRE(runs < 1'000'000);
  return runs;
}

void CacheFixture::check_file() {
  (void)cache();
  check_open_cache();
  check_rows();
}

void CacheFixture::check_open_cache() {
  if (options.access == Access::read_only) return;
  const Health health = cache_->health();
  if (health.state == HealthState::closed) return;
  CHECK_MESSAGE(health.state == HealthState::ok, health.last_error);
  cache_->flush();
  const Stats stats = cache_->stats();
  CHECK(stats.queue_bytes == 0);
  CHECK(stats.worker_errors == worker_errors);
  CHECK(raw().rows("SELECT count(*), coalesce(sum(byte_size), 0) FROM cache_entries") ==
        std::to_string(stats.entries) + '|' + std::to_string(stats.bytes));
  const Limits limits = cache_->limits();
  CHECK(stats.entries <= limits.max_entries.count());
  CHECK(stats.bytes <= (limits.max_bytes.is_set() ? limits.max_bytes.count() : 256 * MiB));
}

void CacheFixture::check_rows() {
  CHECK(raw().rows("PRAGMA integrity_check") == "ok");
  CHECK(raw().rows("SELECT entries, bytes FROM cache_totals") ==
        raw().rows("SELECT count(*), coalesce(sum(byte_size), 0) FROM cache_entries"));
  raw_.reset();
}

std::optional<Error> thrown_by(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

std::string code_thrown_by(const std::function<void()>& call) {
  const auto error = thrown_by(call);
  return error ? std::string(to_string(error->code())) : "nothing";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool becomes_true(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

std::vector<std::string> numbered(const std::string& prefix, int count) {
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) keys.push_back(prefix + std::to_string(i));
  return keys;
}

}  // namespace ashmemo::test
