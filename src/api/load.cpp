#include "api/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include <ashmemo/error.hpp>
#include <ashmemo/key_part.hpp>

#include "api/resource.hpp"
#include "base/forced_unwind.hpp"
#include "base/key_hash.hpp"
#include "base/saturate.hpp"
#include "base/test_point.hpp"
#include "base/thread_stack.hpp"
#include "engine/in_flight.hpp"

namespace ashmemo::api {

namespace {

/// How long a load waits for other callers if LoadOptions::wait is not set.
constexpr Duration kMaxWait = std::chrono::minutes(1);

/// How often a refresh of single records stores its results, in microseconds.
constexpr std::int64_t kKeepEvery = 1'000'000;

/// After this many batches of a run threw in a row, the source is probably down.
constexpr int kMaxThrown = 2;

/// How long smaller batches are remembered at most if no caller asks for their records, in
/// microseconds. After a minute would be too early: a broken record would never be separated from
/// the others of a page that is loaded every few minutes.
constexpr std::int64_t kDividedFor = 3'600'000'000;

std::size_t hash_of(const engine::Query& query) {
  const ValueView version = query.record_version;
  // std::hash gives 0.0 and -0.0 the same hash, which is only a collision.
  const std::array<std::uint64_t, 4> parts{
      base::hash_of(query.key), static_cast<std::uint64_t>(version.as_integer()),
      std::hash<double>()(version.as_real()), base::hash_of(version.bytes())};
  return base::KeyHash()({reinterpret_cast<const char*>(parts.data()), sizeof(parts)});
}

/// Finds queries for the same key and version.
class Distinct {
 public:
  Distinct(std::span<const engine::Query> queries, std::size_t max)
      : first_(max, Hash{queries}, Same{queries}) {}

  /// The first query with this key and version, whose result the others copy. It is `query` itself
  /// if no earlier one has them.
  [[nodiscard]] std::size_t leader_of(std::size_t query) { return *first_.insert(query).first; }

 private:
  struct Hash {
    std::span<const engine::Query> queries;
    std::size_t operator()(std::size_t query) const { return hash_of(queries[query]); }
  };
  struct Same {
    std::span<const engine::Query> queries;
    bool operator()(std::size_t a, std::size_t b) const {
      return queries[a].key == queries[b].key &&
             queries[a].record_version == queries[b].record_version;
    }
  };
  std::unordered_set<std::size_t, Hash, Same> first_;
};

/// Collects the results of one call of a calculation, and the time of each.
class RunRecorder final : public detail::RunObserver {
 public:
  using Completed = std::function<void(const Computed&)>;

  RunRecorder(const Clock& clock, std::size_t run, bool one_call, std::size_t asked,
              const Completed& completed)
      : clock_(clock),
        run_(run),
        one_call_(one_call),
        completed_(completed),
        last_(clock.steady_now()) {
    report_.computed.reserve(asked);
  }

  void done(std::size_t record) override {
    const Computed computed{run_, record, one_call_ ? 0 : lap()};
    if (!one_call_) completed_(computed);
    report_.computed.push_back(computed);  // after `completed_`, which may throw
  }
  void failed(std::size_t record, std::string why) override {
    report_.failed.push_back({run_, record, std::move(why)});
  }

  [[nodiscard]] ComputeReport finish(std::size_t asked, std::exception_ptr thrown) {
    report_.failures = static_cast<std::int64_t>(report_.failed.size());
    if (one_call_ && thrown) {
      report_.computed.clear();
      report_.failed.clear();
      report_.failures = static_cast<std::int64_t>(asked);
    } else if (one_call_) {
      complete_batch(asked);
    } else if (thrown) {
      ++report_.failures;
    }
    report_.thrown = std::move(thrown);
    return std::move(report_);
  }

 private:
  // The time of a batch is divided equally among its records.
  void complete_batch(std::size_t asked) {
    const std::int64_t each = lap() / static_cast<std::int64_t>(asked);
    for (Computed& computed : report_.computed) {
      computed.cost_us = each;
      completed_(computed);
    }
  }
  [[nodiscard]] std::int64_t lap() {
    const std::int64_t now = clock_.steady_now();
    return now - std::exchange(last_, now);
  }

  const Clock& clock_;
  const std::size_t run_;
  const bool one_call_;
  const Completed& completed_;
  std::int64_t last_;
  ComputeReport report_;
};

void report_unencodable(engine::Engine& engine, std::string_view key) {
  engine.counters.unencodable.add();
  if (engine.process.is_forked_child()) return;  // the codec has forked
  engine.notices.notify(
      NoticeKind::unencodable,
      fmt::format("the result for {} was returned and not kept: its Codec failed", key),
      std::string(key));
}

// ---- the chain of nested runs

/// A run of a calculation on this thread. The runs in which it is nested are its chain.
///
/// A run may contain all keys of an outer run for two reasons. Either the calculations need each
/// other without end, which is a cycle. Or a calculation helps other tasks while it waits, and one
/// of them loads the same keys; such a nested run ends. The thread cannot distinguish the two, so
/// more than kMaxRepeats such runs on one chain count as a cycle. After that, each further such run
/// on the chain is a cycle at once. Otherwise a program that catches the error would run each
/// branch again at each depth. A run of a calculation that is not cached has no keys and counts
/// only for the depth.
class RunOnChain : public base::ThreadStack<RunOnChain> {
 public:
  /// `what` identifies the calculation. Throws Error: cycle, with the path of runs, or too_deep.
  RunOnChain(const void* what, std::vector<const engine::Query*> keys);

 private:
  /// This many runs of a chain may contain the keys of an outer run.
  static constexpr std::size_t kMaxRepeats = 32;
  /// A nested run takes 2 to 10 KiB of the stack, without the frames of the program. So this number
  /// fits on a stack of 8 MiB.
  static constexpr int kMaxDepth = 500;

  [[nodiscard]] bool contains_all_of(const RunOnChain& other) const;
  [[noreturn]] void throw_cycle(const RunOnChain& since) const;
  [[noreturn]] void throw_too_deep() const;
  [[nodiscard]] std::string shown() const;

  const void* const what_;
  const std::vector<const engine::Query*> keys_;  // sorted
  mutable bool is_in_cycle_ = false;
};

// Any order is possible if equal queries are neighbours.
bool before(const engine::Query* a, const engine::Query* b) {
  const auto parts = [](const engine::Query& query) {
    const ValueView version = query.record_version;
    return std::tuple(query.key, version.type(), version.as_integer(), version.as_real(),
                      version.bytes());
  };
  return parts(*a) < parts(*b);
}

std::vector<const engine::Query*> sorted(std::vector<const engine::Query*> keys) {
  if (keys.size() > 1) std::sort(keys.begin(), keys.end(), before);
  return keys;
}

RunOnChain::RunOnChain(const void* what, std::vector<const engine::Query*> keys)
    : what_(what), keys_(sorted(std::move(keys))) {
  int depth = 1;
  bool is_in_cycle = false;
  std::vector<const RunOnChain*> repeated;  // the innermost one first
  for (const RunOnChain* run = outer(); run != nullptr; run = run->outer()) {
    ++depth;
    if (run->what_ != what_ || !contains_all_of(*run)) continue;
    repeated.push_back(run);
    is_in_cycle = is_in_cycle || run->is_in_cycle_;
  }
  const bool is_too_deep = depth > kMaxDepth;
  is_in_cycle = is_in_cycle || repeated.size() > kMaxRepeats || (is_too_deep && !repeated.empty());
  if (is_in_cycle) {
    for (const RunOnChain* run : repeated) run->is_in_cycle_ = true;
    throw_cycle(*repeated.front());
  }
  if (is_too_deep) throw_too_deep();
}

bool RunOnChain::contains_all_of(const RunOnChain& other) const {
  return !other.keys_.empty() && other.keys_.size() <= keys_.size() &&
         std::includes(keys_.begin(), keys_.end(), other.keys_.begin(), other.keys_.end(), before);
}

void RunOnChain::throw_cycle(const RunOnChain& since) const {
  std::string path = shown();
  for (const RunOnChain* run = outer();; run = run->outer()) {
    if (!run->keys_.empty()) path.insert(0, run->shown() + " -> ");
    if (run == &since) break;
  }
  throw Error(ErrorCode::cycle, "these calculations need each other's results: " + path,
              std::string(keys_.front()->key));
}

void RunOnChain::throw_too_deep() const {
  const std::string innermost = keys_.empty() ? "one that is not cached" : shown();
  throw Error(
      ErrorCode::too_deep,
      fmt::format("calculations are nested more than {} deep, which would overflow the stack; "
                  "the innermost is {}; load what it needs before, from the inside to the "
                  "outside",
                  kMaxDepth, innermost),
      keys_.empty() ? std::string() : std::string(keys_.front()->key));
}

std::string RunOnChain::shown() const {
  const std::string first(keys_.front()->key);
  return keys_.size() == 1 ? first : fmt::format("{} (and {} more)", first, keys_.size() - 1);
}

}  // namespace

std::string text_of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    // An exception class of the program may return null.
    const char* const what = error.what();
    return what != nullptr ? what : "an exception without a text";
  } catch (...) {
    return "an exception that is not a std::exception";
  }
}

ComputeReport compute(const Clock& clock, const LoadRun& run, std::size_t number,
                      std::span<const std::size_t> records,
                      const std::function<void(const Computed&)>& completed) {
  RunRecorder recorder(clock, number, run.one_call, records.size(), completed);
  std::exception_ptr thrown;
  try {
    run.run->compute(records, recorder);
  } catch (...) {
    base::pass_forced_unwind();
    thrown = std::current_exception();
  }
  return recorder.finish(records.size(), std::move(thrown));
}

Load::Load(engine::Engine& engine, std::span<const LoadRun> runs, std::size_t records,
           std::span<const engine::Query> queries, KeyOf key_of, const LoadOptions& options)
    : engine_(engine),
      runs_(runs),
      records_(records),
      queries_(queries),
      key_of_(std::move(key_of)),
      wait_(options.wait),
      claims_(engine, queries,
              [this](std::size_t query) { return run_of(query).keeping->calculation_id; }) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].keeping) cached_.push_back(i);
  }
}

std::size_t Load::run() {
  look_up();
  const std::vector<std::size_t> own = claim(distinct(split()));
  // Computing may take long. After many removals only a watch knows which keys were removed.
  const bool computes = !own.empty() || cached_.size() < runs_.size();
  if (computes && !stale_.empty()) claims_.watch(stale_);
  compute(own, true);
  keep();
  refresh_stale();
  if (!is_lost()) join();
  if (thrown_) std::rethrow_exception(thrown_);
  throw_what_failed();
  share();
  return computed_;
}

RunSink Load::sink() const {
  std::vector<detail::PageRun*> asked;
  for (const std::size_t run : cached_) asked.push_back(runs_[run].run);
  return RunSink(std::move(asked), records_);
}

void Load::look_up() {
  if (queries_.empty()) return;
  answers_.resize(queries_.size());
  RunSink found = sink();
  const bool want_kept = std::any_of(cached_.begin(), cached_.end(), [this](std::size_t run) {
    const Keeping& keeping = *runs_[run].keeping;
    return keeping.something.is_kept() || (keeping.nothing && keeping.nothing->is_kept());
  });
  if (want_kept) kept_.resize(queries_.size());
  looked_up_at_ = engine::read(engine_, queries_, found, answers_, want_kept);
}

std::vector<std::size_t> Load::split() {
  std::vector<std::size_t> missing;
  for (std::size_t query = 0; query < answers_.size(); ++query) {
    if (!answers_now(query)) missing.push_back(query);
  }
  engine::record_answers(engine_, queries_, answers_, looked_up_at_);
  return missing;
}

// A loader has no refreshes, so a stale entry is a miss for it. An entry that is kept for errors is
// a miss too, but it answers while the record pauses after a failure.
bool Load::answers_now(std::size_t query) {
  engine::Answer& answer = answers_[query];
  const engine::CalculationState* const state = queries_[query].calculation;
  if (answer.kind != engine::Answer::Kind::found) return false;
  if (answer.freshness == Freshness::fresh) return true;
  if (answer.freshness == Freshness::stale && state != nullptr) {
    if (!is_paused(query)) stale_.push_back(query);
    return true;
  }
  answer.kind = engine::Answer::Kind::expired;
  if (answer.freshness != Freshness::kept || state == nullptr) return false;
  kept_[query] = true;
  return is_paused(query);
}

bool Load::is_paused(std::size_t query) const {
  if (engine_.process.is_forked_child()) return false;  // another thread may have its mutex
  const engine::FailedRecords& failed = queries_[query].calculation->failed_records;
  return !failed.empty() && failed.is_paused(queries_[query].key, engine_.clock->steady_now());
}

void Load::refresh(const engine::RefreshBatch& batch) {
  refresh_ = &batch;
  kept_at_ = engine_.clock->steady_now();
  look_up();
  // A removed record may be newer than the copy in this batch, so it is skipped. The claims notice
  // removals since the constructor.
  const std::vector<bool> removed = engine_.refreshes->removed_since_begin(batch);
  std::vector<std::size_t> stale;
  for (std::size_t query = 0; query < answers_.size(); ++query) {
    const engine::Answer& answer = answers_[query];
    const bool is_stale = answer.is_hit() && answer.freshness == Freshness::stale;
    // Another batch may have failed since this one was queued.
    if (is_stale && !removed[query] && !is_paused(query)) stale.push_back(query);
  }
  std::vector<std::size_t> own = claim(distinct(stale));
  std::erase_if(own, [this](std::size_t query) { return claims_.is_superseded(query); });
  compute(own, false);
  keep();
}

// Null: the run stores no results of a calculation, or the cache is out of use.
engine::CalculationState* Load::state_of(std::size_t run) const {
  return engine_.is_out_of_use() ? nullptr : queries_[runs_[run].first_query].calculation;
}

// The groups in which the records of a run are computed. Normally this is one group, and one batch.
// Records whose last batch threw form groups by the size that their next batch may have. A group
// begins at a random record, because a run may skip the last ones, and these must not always be the
// same ones.
std::vector<Load::Group> Load::groups_of(std::size_t run,
                                         const std::vector<std::size_t>& records) const {
  const bool is_kept = runs_[run].one_call && runs_[run].keeping;
  engine::CalculationState* const state = is_kept ? state_of(run) : nullptr;
  if (state == nullptr || state->failed_records.empty()) return {Group{records, records.size()}};
  const std::int64_t now = engine_.clock->steady_now();
  state->failed_records.forget_old(base::subtract_saturated(now, kDividedFor));
  std::map<std::size_t, std::vector<std::size_t>> by_max;
  for (const std::size_t record : records) {
    by_max[state->failed_records.max_batch(queries_[query_of(run, record)].key)].push_back(record);
  }
  std::minstd_rand random(static_cast<std::minstd_rand::result_type>(now));
  std::vector<Group> groups;
  for (auto& [max, of_max] : by_max) {
    const auto first =
        max < of_max.size() ? static_cast<std::ptrdiff_t>(random() % of_max.size()) : 0;
    std::rotate(of_max.begin(), of_max.begin() + first, of_max.end());
    groups.push_back({std::move(of_max), max});
  }
  std::shuffle(groups.begin(), groups.end(), random);
  return groups;
}

void Load::refresh_stale() {
  if (stale_.empty() || engine_.is_out_of_use()) return;
  std::erase_if(stale_, [this](std::size_t query) { return claims_.is_superseded(query); });
  auto next = stale_.begin();  // sorted by query, so the runs are in the order of cached_
  for (const std::size_t run : cached_) {
    const std::size_t end = runs_[run].first_query + records_;
    const auto last = std::lower_bound(next, stale_.end(), end);
    if (next != last) refresh_run(run, {next, last});
    next = last;
  }
}

// The page has its answer already, so a failure here is only reported. If the copy of a record
// throws, that record pauses, and the others are refreshed.
void Load::refresh_run(std::size_t run, std::span<const std::size_t> stale) try {
  try {
    return add_refresh(run, stale);
  } catch (...) {
    base::pass_forced_unwind();
    report_failure(run, text_of(std::current_exception()));
  }
  const std::vector<std::size_t> some = copyable(run, stale);
  if (!some.empty() && some.size() < stale.size()) add_refresh(run, some);
} catch (...) {
  base::pass_forced_unwind();
  report_failure(run, text_of(std::current_exception()));
}

void Load::add_refresh(std::size_t run, std::span<const std::size_t> stale) {
  auto refresh = Refresh::begin(engine_, runs_[run], queries_, stale, claims_.removals());
  // The copy of a record may have forked.
  if (refresh && !engine_.is_out_of_use()) engine_.refreshes->add(std::move(refresh));
}

std::vector<std::size_t> Load::copyable(std::size_t run, std::span<const std::size_t> stale) {
  const std::int64_t began = engine_.clock->steady_now();
  std::vector<std::size_t> copied;
  for (const std::size_t query : stale) {
    const std::size_t record = record_of(query);
    try {
      (void)runs_[run].registered->own(std::span(&record, 1));
      copied.push_back(query);
    } catch (...) {
      base::pass_forced_unwind();
      if (engine_.is_out_of_use()) break;  // the copy has forked
      const engine::Query& failed = queries_[query];
      failed.calculation->failed_records.failed(failed.key, began, engine_.clock->steady_now(), 1);
    }
  }
  return copied;
}

std::vector<std::size_t> Load::distinct(const std::vector<std::size_t>& missing) {
  if (missing.size() < 2) return missing;
  Distinct known(queries_, missing.size());
  std::vector<std::size_t> leaders;
  for (const std::size_t query : missing) {
    const std::size_t leader = known.leader_of(query);
    if (leader == query) {
      leaders.push_back(query);
    } else {
      twins_.push_back({leader, query});
    }
  }
  return leaders;
}

void Load::keep() {
  ASHMEMO_TEST_POINT("load: keeps");
  if (!entries_.empty()) engine::put(engine_, entries_);
  after_user_code();
  entries_.clear();
  claims_.leave();
}

// A later record of the refresh may hang. Only results of the last second then wait for it.
void Load::keep_finished() {
  const std::int64_t now = engine_.clock->steady_now();
  if (entries_.empty() || base::subtract_saturated(now, kept_at_) < kKeepEvery) return;
  kept_at_ = now;
  engine::put(engine_, entries_);
  after_user_code();
  const auto stored = std::exchange(entries_, {});
  if (engine_.process.is_forked_child()) return;
  for (const engine::NewEntry& entry : stored) engine_.refreshes->release(*refresh_, entry.key);
  claims_.leave_ended();
}

void Load::throw_what_failed() const {
  if (failed_.empty()) return;
  std::vector<CalculationFailed::Record> records = failed_records();
  const detail::CalculationCore& calculation = runs_[failed_.front().run].registered->calculation();
  const std::string what =
      fmt::format("{} failed for {} of {} records, first for {}: {}", calculation.label(),
                  records.size(), records_, records.front().key, records.front().why);
  throw CalculationFailed(what, calculation.name(), std::move(records));
}

std::vector<CalculationFailed::Record> Load::failed_records() const {
  std::vector<CalculationFailed::Record> records;
  const LoadRun& run = runs_[failed_.front().run];
  std::unordered_map<std::size_t, const FailedRecord*> by_record;
  const auto add = [&](std::size_t record, const std::string& why) {
    records.push_back({record, key_of_(run, record), why});
  };
  for (const FailedRecord& failed : failed_) {
    by_record[failed.record] = &failed;
    add(failed.record, failed.why);
  }
  for (const Twin& twin : twins_) {
    if (&run_of(twin.leader) != &run || &run_of(twin.twin) != &run) continue;
    const auto failed = by_record.find(record_of(twin.leader));
    if (failed != by_record.end()) add(record_of(twin.twin), failed->second->why);
  }
  const auto by_index = [](const auto& a, const auto& b) { return a.index < b.index; };
  std::sort(records.begin(), records.end(), by_index);
  return records;
}

void Load::share() {
  for (const Twin& twin : twins_) {
    const LoadRun& from = run_of(twin.leader);
    const LoadRun& to = run_of(twin.twin);
    const std::size_t record = record_of(twin.leader);
    if (from.run == to.run) {
      to.run->copy(record, record_of(twin.twin));
    } else {
      to.registered->copy_of(*from.registered, record, record_of(twin.twin));
    }
  }
}

// ---- computing

void Load::compute(const std::vector<std::size_t>& wanted, bool with_uncached) {
  auto next = wanted.begin();  // sorted by query, so the runs are in the order of cached_
  std::vector<std::size_t> records;
  for (std::size_t run = 0; run < runs_.size(); ++run) {
    records.clear();
    if (runs_[run].keeping) {
      const std::size_t end = runs_[run].first_query + records_;
      for (; next != wanted.end() && *next < end; ++next) records.push_back(record_of(*next));
    } else if (with_uncached) {
      records.resize(records_);
      std::iota(records.begin(), records.end(), std::size_t{0});
    }
    if (!records.empty()) compute_run(run, records);
    if (is_lost()) return;
  }
}

void Load::compute_run(std::size_t run, const std::vector<std::size_t>& records) {
  threw_ = 0;
  for (const Group& group : groups_of(run, records)) {
    compute_group(run, group);
    if (thrown_) return;
  }
}

// If a batch throws, the run ends, because the load throws. If records failed in a batch, the run
// goes on, so that the load can name all records that failed. If the source is down, each call may
// take long, so older values answer for the rest of the run. If it works again, each batch may have
// twice the size of the last one, so that few calls compute a page.
void Load::compute_group(std::size_t run, const Group& group) {
  std::size_t size = group.max_batch;
  for (std::span<const std::size_t> rest = group.records; !rest.empty() && !thrown_;) {
    const std::span<const std::size_t> batch = rest.first(std::min(size, rest.size()));
    rest = rest.subspan(batch.size());
    if (threw_ >= kMaxThrown && have_kept(run, batch)) {
      pause_skipped(run, batch);
      continue;
    }
    compute_one(run, batch);
    size = threw_ == 0 ? 2 * batch.size() : group.max_batch;
  }
}

void Load::compute_one(std::size_t run, std::span<const std::size_t> records) {
  while (!records.empty()) records = compute_part(run, records);
}

// Returns the records that remain to be computed. If a record throws and an older value answers for
// it, these are the records after it.
std::span<const std::size_t> Load::compute_part(std::size_t run,
                                                std::span<const std::size_t> records) {
  const std::int64_t began = engine_.clock->steady_now();
  ComputeReport report = compute_on_chain(run, records);
  after_user_code();
  const std::size_t done = report.computed.size();
  computed_ += done;
  engine_.counters.computed.add(static_cast<std::int64_t>(done));
  if (detail::CalculationRun* const registered = runs_[run].registered) {
    registered->calculation().count(static_cast<std::int64_t>(done), report.failures);
  }
  const bool threw = static_cast<bool>(report.thrown);
  if (runs_[run].keeping) {
    end_flights(run, records, report);
    pause_failed(run, records, report, began);
    answer_with_kept(run, records, report);
  }
  threw_ = threw ? threw_ + 1 : 0;
  failed_.insert(failed_.end(), std::make_move_iterator(report.failed.begin()),
                 std::make_move_iterator(report.failed.end()));
  thrown_ = std::move(report.thrown);
  const bool goes_on = threw && !thrown_ && !runs_[run].one_call;
  return records.subspan(goes_on ? done + 1 : records.size());
}

ComputeReport Load::compute_on_chain(std::size_t run, std::span<const std::size_t> records) {
  const auto completed = [this](const Computed& computed) { complete(computed); };
  const auto compute_it = [&] {
    return api::compute(*engine_.clock, runs_[run], run, records, completed);
  };
  std::vector<const engine::Query*> keys;
  if (runs_[run].keeping) {
    keys.reserve(records.size());
    for (const std::size_t record : records) keys.push_back(&queries_[query_of(run, record)]);
  }
  const void* const what = runs_[run].registered != nullptr
                               ? static_cast<const void*>(&runs_[run].registered->calculation())
                               : &engine_;
  try {
    const RunOnChain on_chain(what, std::move(keys));
    return compute_it();
  } catch (...) {  // a cycle, or too deep
    base::pass_forced_unwind();
    ComputeReport report;
    report.thrown = std::current_exception();
    return report;
  }
}

// A record without an older value needs no pause: its failure is thrown.
void Load::pause_failed(std::size_t run, std::span<const std::size_t> records,
                        const ComputeReport& report, std::int64_t began) {
  engine::CalculationState* const state = state_of(run);
  if (state == nullptr) return;
  engine::FailedRecords& failed = state->failed_records;
  const std::int64_t now = engine_.clock->steady_now();
  const auto pause = [&](std::size_t record, std::size_t batch) {
    const std::size_t query = query_of(run, record);
    const bool has_older = refresh_ != nullptr || (!kept_.empty() && kept_[query]);
    if (has_older) failed.failed(queries_[query].key, began, now, batch);
  };
  if (!failed.empty()) {
    for (const Computed& computed : report.computed) {
      failed.succeeded(queries_[query_of(run, computed.record)].key);
    }
    failed.forget_old(base::subtract_saturated(now, kDividedFor));
  }
  // A record that returned Failed does no harm to the other records of its batch.
  constexpr std::size_t kUndivided = std::numeric_limits<std::size_t>::max() / 2;
  for (const FailedRecord& one : report.failed) pause(one.record, kUndivided);
  if (report.thrown) {
    const std::span<const std::size_t> thrown = records_that_threw(run, records, report);
    for (const std::size_t record : thrown) pause(record, thrown.size());
  }
  const bool is_good = !report.thrown && report.failed.empty() && failed.empty();
  if (is_good) state->failure_reported = false;
}

// These records were not tried, so their next batch has the same size.
void Load::pause_skipped(std::size_t run, std::span<const std::size_t> records) {
  engine::CalculationState* const state = state_of(run);
  if (state == nullptr) return;
  const std::int64_t now = engine_.clock->steady_now();
  for (const std::size_t record : records) {
    const std::string_view key = queries_[query_of(run, record)].key;
    state->failed_records.failed(key, now, now, 2 * records.size());
  }
}

// If a batch threw, these are all its records. Otherwise it is the first record without a result.
std::span<const std::size_t> Load::records_that_threw(std::size_t run,
                                                      std::span<const std::size_t> records,
                                                      const ComputeReport& report) const {
  if (runs_[run].one_call) return records;
  const std::span<const std::size_t> rest = records.subspan(report.computed.size());
  return rest.first(std::min<std::size_t>(rest.size(), 1));
}

// Whether an older value answers, so that a failure is only reported. A run that is superseded
// throws: its older value is no longer valid. A refresh has no caller that could get an exception.
// In a forked child a thread of the parent may have locked the catalog, so no older value answers.
bool Load::has_kept(std::size_t query) const {
  if (refresh_ != nullptr) return true;
  if (engine_.process.is_forked_child()) return false;
  return !kept_.empty() && kept_[query] && !claims_.is_superseded(query) &&
         engine_.catalog.is_current(run_of(query).keeping->calculation_id);
}

bool Load::have_kept(std::size_t run, std::span<const std::size_t> records) const {
  return std::all_of(records.begin(), records.end(),
                     [&](std::size_t record) { return has_kept(query_of(run, record)); });
}

// Stale-if-error. A record that returned Failed needs an older value. If the run threw, each record
// that threw needs one.
void Load::answer_with_kept(std::size_t run, std::span<const std::size_t> records,
                            ComputeReport& report) {
  std::erase_if(report.failed, [&](const FailedRecord& failed) {
    const bool answered = has_kept(query_of(run, failed.record));
    if (answered) report_failure(run, failed.why);
    return answered;
  });
  if (!report.thrown) return;
  records = records_that_threw(run, records, report);
  if (records.empty() || !have_kept(run, records)) return;
  report_failure(run, text_of(report.thrown));
  report.thrown = nullptr;
}

void Load::report_failure(std::size_t run, const std::string& why) {
  runs_[run].registered->calculation().report_failure(why);
}

// Waiting callers share the exception of a run for one key. If a batch of several keys threw, each
// caller computes its own records.
void Load::end_flights(std::size_t run, std::span<const std::size_t> records,
                       const ComputeReport& report) {
  for (const FailedRecord& failed : report.failed) {
    claims_.end_failed(query_of(run, failed.record), failed.why);
  }
  if (!report.thrown || (runs_[run].one_call && records.size() > 1)) return;
  for (const std::size_t record : records_that_threw(run, records, report)) {
    claims_.end_thrown(query_of(run, record), report.thrown);
  }
}

// User code may have forked, also a hook that a put runs. In the child the threads of the other
// callers do not exist, and they may have locked mutexes.
void Load::after_user_code() noexcept {
  if (engine_.process.is_forked_child()) claims_.forget();
}

void Load::complete(const Computed& computed) {
  const LoadRun& run = runs_[computed.run];
  if (!run.keeping) return;
  after_user_code();
  const std::size_t query = query_of(computed.run, computed.record);
  if (engine_.is_out_of_use() && claims_.own(query) == nullptr) return;  // no caller can use it
  std::optional<Value> value = run.run->encode(computed.record);
  after_user_code();
  value ? publish(query, *value) : report_unencodable(engine_, queries_[query].key);
  add_entry(computed, std::move(value));
  if (refresh_ != nullptr && !run.one_call) keep_finished();
}

// Gives the result to callers that wait. They also get a "nothing" that is not stored.
void Load::publish(std::size_t query, const Value& value) {
  const LoadRun& run = run_of(query);
  const bool is_nothing = run.run->is_nothing(record_of(query));
  const engine::Lifetimes lifetimes =
      is_nothing ? run.keeping->nothing.value_or(run.keeping->something) : run.keeping->something;
  const std::int64_t now = engine_.clock->steady_now();
  claims_.complete(query, value, engine::end_of(now, lifetimes.fresh));
}

void Load::add_entry(const Computed& computed, std::optional<Value> value) {
  const LoadRun& run = runs_[computed.run];
  const std::size_t number = query_of(computed.run, computed.record);
  const engine::Query& query = queries_[number];
  if (engine_.is_out_of_use()) return;
  if (query.key.size() > kMaxKeyBytes) return engine_.counters.uncached_keys.add();
  const bool is_nothing = run.run->is_nothing(computed.record);
  const std::optional lifetimes =
      is_nothing ? run.keeping->nothing : std::optional(run.keeping->something);
  if (!lifetimes) value.reset();
  // An entry without a value only removes an older value that would still answer.
  if (!value && !answers_[number].is_hit() && (kept_.empty() || !kept_[number])) return;
  entries_.push_back({.key = query.key,
                      .value = std::move(value),
                      .lifetimes = lifetimes.value_or(engine::Lifetimes{}),
                      .calculation_id = run.keeping->calculation_id,
                      .record_version = Value(query.record_version),
                      .cost_us = computed.cost_us,
                      .is_touched = query.calculation == nullptr || query.calculation->is_touched,
                      .flight = claims_.own(number)});
}

// ---- results of other callers

std::vector<std::size_t> Load::claim(const std::vector<std::size_t>& missing) {
  ASHMEMO_TEST_POINT("load: looked up");
  std::vector<std::size_t> own = claims_.claim(missing);
  return claims_.must_look_again() ? look_again(own) : own;
}

// Another caller may have stored a result after the look-up. It need not be computed again.
std::vector<std::size_t> Load::look_again(const std::vector<std::size_t>& wanted) {
  std::vector<engine::Query> queries;
  queries.reserve(wanted.size());
  for (const std::size_t query : wanted) queries.push_back(queries_[query]);
  std::vector<engine::Answer> answers(queries.size());
  RunSink found = sink();
  found.read_only_again(wanted);
  engine::read(engine_, queries, found, answers);
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!answers[i].is_hit() || answers[i].freshness != Freshness::fresh) {
      missing.push_back(wanted[i]);
      continue;
    }
    engine_.counters.joined.add();
    if (const auto value = run_of(wanted[i]).run->encode(record_of(wanted[i]))) {
      publish(wanted[i], *value);
    }
  }
  return missing;
}

void Load::join() {
  if (claims_.joined().empty()) return;
  const engine::Deadline deadline(*engine_.clock, wait_.value_or(kMaxWait).count());
  std::vector<std::size_t> own;  // results that another caller did not give
  for (const Claims::Joined& joined : claims_.joined()) {
    if (!take_joined(joined, deadline)) own.push_back(joined.query);
    after_user_code();  // the codec may have forked
    if (thrown_) return;
  }
  if (own.empty() || is_lost()) return;
  claims_.claim_alone(own);
  compute(look_again(own), false);
  keep();
}

bool Load::take_joined(const Claims::Joined& joined, const engine::Deadline& deadline) {
  using Waited = engine::InFlightTable::Waited;
  if (joined.flight == nullptr) return false;
  // The caller that computes may wait for the worker, which runs this hook.
  if (engine_.worker->is_in_hook()) return false;
  ASHMEMO_TEST_POINT("load: waits");
  const Waited waited = engine_.in_flight.wait(joined.flight, engine::this_waiter(), deadline);
  return waited == Waited::ended && take_ended(joined.query, *joined.flight);
}

bool Load::take_ended(std::size_t query, const engine::InFlight& flight) {
  using State = engine::InFlight::State;
  switch (flight.state) {
    case State::completed:
      if (flight.is_too_old(engine_.clock->steady_now())) return false;
      if (!run_of(query).run->decode(record_of(query), flight.value)) return false;
      engine_.counters.joined.add();
      return true;
    case State::thrown:
      if (flight.superseded || !has_kept(query)) thrown_ = flight.thrown;
      return true;
    case State::failed: {
      if (!flight.superseded && has_kept(query)) return true;
      const std::size_t run = cached_[query / records_];
      if (failed_.empty() || failed_.front().run == run) {
        failed_.push_back({run, record_of(query), flight.why});
      }
      return true;
    }
    case State::running:
    case State::cancelled:
      break;
  }
  return false;
}

}  // namespace ashmemo::api
