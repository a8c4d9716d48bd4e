#include "api/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <ashmemo/error.hpp>
#include <ashmemo/key_part.hpp>

#include "api/load_refresh.hpp"
#include "api/resource.hpp"
#include "base/test_point.hpp"
#include "engine/submit.hpp"

namespace ashmemo::api {

namespace {

std::size_t hash_of(const engine::Query& query) {
  const ValueView version = query.record_version;
  const std::hash<std::string_view> of_bytes;
  const std::hash<std::int64_t> of_number;
  std::size_t hash = of_bytes(query.key);
  hash = hash * 31 + of_number(version.as_integer());
  hash = hash * 31 + std::hash<double>()(version.as_real());
  return hash * 31 + of_bytes(version.bytes());
}

/// Queries by what they ask for.
class Distinct {
 public:
  Distinct(std::span<const engine::Query> queries, std::size_t most)
      : first_(most, Hash{queries}, Same{queries}) {}

  /// The first query given here that asks for the same; `query` itself if it is that.
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

}  // namespace

Load::Load(engine::Engine& engine, std::span<const LoadRun> runs, std::size_t records,
           std::span<const engine::Query> queries, KeyOf key_of, const LoadOptions& options,
           std::optional<std::uint64_t> removals)
    : engine_(engine),
      runs_(runs),
      records_(records),
      queries_(queries),
      key_of_(std::move(key_of)),
      wait_(options.wait),
      claims_(
          engine, queries,
          [this](std::size_t query) { return run_of(query).keeping->calculation_id; }, removals) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].keeping) cached_.push_back(i);
  }
}

std::size_t Load::run() {
  look_up();
  compute(claim(distinct(split())), true);
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

// A loader has no background: what is stale is over for it. An entry kept for errors is no hit; it
// answers while the calculation pauses after one.
bool Load::answers_now(std::size_t query) {
  engine::Answer& answer = answers_[query];
  const engine::CalculationState* const state = queries_[query].calculation;
  if (answer.kind != engine::Answer::Kind::found) return false;
  if (answer.freshness == Freshness::fresh) return true;
  if (answer.freshness == Freshness::stale && state != nullptr) {
    stale_.push_back(query);
    return true;
  }
  answer.kind = engine::Answer::Kind::expired;
  if (answer.freshness != Freshness::kept || state == nullptr) return false;
  kept_[query] = true;
  return !state->back_off.is_over(engine_.clock->steady_now());
}

void Load::refresh() {
  look_up();
  std::vector<std::size_t> stale;
  for (std::size_t query = 0; query < answers_.size(); ++query) {
    const engine::Answer& answer = answers_[query];
    if (answer.is_hit() && answer.freshness == Freshness::stale) stale.push_back(query);
  }
  std::vector<std::size_t> own = claim(distinct(stale));
  // Its record is older than a removal: what is stale now was computed from a newer one.
  std::erase_if(own, [this](std::size_t query) { return claims_.is_superseded(query); });
  compute(own, false);
  keep();
  if (thrown_) report_failure(0, what_is(thrown_));
  if (!failed_.empty()) report_failure(0, failed_.front().why);
}

void Load::refresh_stale() {
  auto next = stale_.begin();  // in the order of the queries, and so of the cached runs
  for (const std::size_t run : cached_) {
    const std::size_t end = runs_[run].first_query + records_;
    const auto last = std::lower_bound(next, stale_.end(), end);
    if (next != last) refresh_run(run, {next, last});
    next = last;
  }
}

// The page is answered already: a record that cannot be copied, say, takes nothing away from it.
void Load::refresh_run(std::size_t run, std::span<const std::size_t> stale) try {
  if (const auto refresh =
          Refresh::begin(engine_, runs_[run], queries_, stale, claims_.removals())) {
    engine_.executor.post([refresh] { refresh->run(); });
  }
} catch (...) {
  report_failure(run, what_is(std::current_exception()));
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
  entries_.clear();
  claims_.leave();
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

}  // namespace ashmemo::api
