#include "crash/crashed_cache.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>

#include "support/policies.hpp"
#include "support/raw_database.hpp"

namespace ashmemo::test {
namespace {

constexpr std::uint64_t kVersionsOfProcess = 1'000'000;

int quarantined_files(const std::string& path) {
  int count = 0;
  const std::filesystem::path whole(path);
  for (const auto& entry : std::filesystem::directory_iterator(whole.parent_path())) {
    if (entry.path().string().starts_with(path + ".corrupt-")) ++count;
  }
  return count;
}

/// Compares the totals with the rows. The file must not be open elsewhere in this process, because
/// closing it here would release the locks.
void recount(const std::string& path) {
  RawDatabase raw(path);
  CHECK(raw.rows("PRAGMA integrity_check") == "ok");
  CHECK(raw.rows("SELECT entries, bytes FROM cache_totals") ==
        raw.rows("SELECT count(*), coalesce(sum(byte_size), 0) FROM cache_entries"));
}

}  // namespace

Load CrashedCache::draw_load(std::mt19937_64& random, Durability durability, int kill) {
  Load load;
  load.path = path_;
  load.seed = random();
  load.first_version = static_cast<std::uint64_t>(kill) * kVersionsOfProcess;
  if (random() % 4 == 0) {
    ++code_version_;
    oracle_.raise_version(load.first_version);
  }
  load.code_version = code_version_;
  load.oldest = oracle_.oldest();
  load.options.durability = durability;
  load.options.timing.flush_interval = std::chrono::milliseconds(random() % 4);
  load.options.timing.touch_interval = std::chrono::milliseconds(random() % 20);
  load.options.timing.maintenance_interval = std::chrono::milliseconds(10);
  load.options.memory_bytes = random() % 2 == 0 ? 0 : 256 * KiB;
  load.options.queue_bytes = random() % 4 == 0 ? 64 * KiB : 4 * MiB;
  if (!is_small_) return load;
  load.limits_change = true;
  load.options.limits = {.max_entries = 50, .max_bytes = 512 * KiB};
  load.options.eviction = kPolicies[random() % kPolicies.size()];
  return load;
}

Cache CrashedCache::open(Heard& heard) const {
  Options options;
  options.hooks.on_error = [&heard](const Notice& notice) { heard.add(notice); };
  options.when_unavailable = WhenUnavailable::throw_error;
  if (is_small_) options.limits = {.max_entries = 1000, .max_bytes = 8 * MiB};
  return Cache(path_, options);
}

void CrashedCache::check(Promise promise) {
  const std::vector<Record> records = journal_.records();
  journal_.clear();
  oracle_.replay(records, promise);
  count_calls(records);
  Heard heard;
  {
    Cache cache = open(heard);
    CHECK(cache.health().state == HealthState::ok);
    const CheckReport report = cache.check();
    CHECK(report.ok);
    CHECK(report.entries_off_by == 0);
    CHECK(report.bytes_off_by == 0);
    check_values(cache);
    check_results(cache);
    cache.close();
  }
  for (const Notice& notice : heard.notices()) {
    CHECK_MESSAGE(notice.kind == NoticeKind::foreign_reader, notice.what);
  }
  CHECK(quarantined_files(path_) == 0);
  recount(path_);
  check_copies(records);
}

// A call that has a begin record and no end record was interrupted.
void CrashedCache::count_calls(const std::vector<Record>& records) {
  int open = 0;
  bool all_committed = true;
  for (const Record& record : records) {
    CHECK(record.step != Step::wrong_value);
    switch (record.step) {
      case Step::put_begun:
      case Step::erase_begun:
      case Step::group_begun:
      case Step::clear_begun:
      case Step::flush_begun:
      case Step::invalidate_begun:
      case Step::invalidate_all_begun:
      case Step::backup_begun:
        ++open;
        ++calls_;
        break;
      case Step::uncommitted:
        all_committed = false;
        break;
      case Step::none:
      case Step::wrong_value:
        break;
      default:
        --open;
    }
  }
  interrupted_calls_ += open;
  crashes_unchecked_ += all_committed ? 0 : 1;
}

void CrashedCache::check_values(Cache& cache) {
  for (std::uint32_t key = 0; key < kKeys; ++key) {
    const auto found = cache.get<std::string>(key_name(key));
    found_ += found ? 1 : 0;
    const std::string wrong = oracle_.check(key, found);
    CHECK_MESSAGE(wrong.empty(), wrong);
  }
}

void CrashedCache::check_results(Cache& cache) {
  const Posts posts(cache, code_version_, [] { return std::uint64_t{0}; });
  std::vector<Post> all;
  for (std::uint32_t post = 0; post < kPosts; ++post) all.push_back({post});
  const auto results = posts.edition.cached(all);
  for (std::uint32_t post = 0; post < kPosts; ++post) {
    if (!results[post]) continue;
    ++results_found_;
    const std::string wrong = oracle_.check_result(post, *results[post]);
    CHECK_MESSAGE(wrong.empty(), wrong);
  }
}

// A copy is complete only if its backup returned.
void CrashedCache::check_copies(const std::vector<Record>& records) const {
  for (std::uint32_t group = 0; group < kGroups; ++group) {
    Step last = Step::none;
    for (const Record& record : records) {
      const bool is_backup = record.step == Step::backup_begun || record.step == Step::backup_ended;
      if (is_backup && record.key == group) last = record.step;
    }
    if (last == Step::backup_ended) recount(copy_path(path_, group));
  }
}

}  // namespace ashmemo::test
