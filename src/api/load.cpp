#include "api/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <ashmemo/error.hpp>
#include <ashmemo/key_part.hpp>

#include "api/resource.hpp"
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

void tell_unencodable(engine::Engine& engine, std::string_view key) {
  engine.counters.unencodable.add();
  engine.notices.tell(
      NoticeKind::unencodable,
      fmt::format("the result for {} was returned and not kept: its Codec failed", key),
      std::string(key));
}

}  // namespace

Load::Load(engine::Engine& engine, std::span<const LoadRun> runs, std::size_t records,
           std::span<const engine::Query> queries, KeyOf key_of)
    : engine_(engine),
      runs_(runs),
      records_(records),
      queries_(queries),
      key_of_(std::move(key_of)) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].keeping) cached_.push_back(i);
  }
}

std::size_t Load::run() {
  look_up();
  compute(distinct(split()));
  keep();
  if (thrown_) std::rethrow_exception(thrown_);
  throw_what_failed();
  share();
  return computed_.size();
}

void Load::look_up() {
  if (queries_.empty()) return;
  answers_.resize(queries_.size());
  std::vector<detail::PageRun*> asked;
  for (const std::size_t run : cached_) asked.push_back(runs_[run].run);
  RunSink sink(std::move(asked), records_);
  engine::read(engine_, queries_, sink, answers_);
}

std::vector<std::size_t> Load::split() {
  std::vector<std::size_t> missing;
  for (std::size_t query = 0; query < answers_.size(); ++query) {
    engine::Answer& answer = answers_[query];
    if (answer.is_hit() && answer.freshness == Freshness::fresh) continue;
    // Nobody refreshes a stale one in the background: its time is over for whoever can wait.
    if (answer.is_hit()) answer.kind = engine::Answer::Kind::expired;
    missing.push_back(query);
  }
  engine::settle(engine_, queries_, answers_);
  return missing;
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

void Load::compute(const std::vector<std::size_t>& wanted) {
  auto next = wanted.begin();  // in the order of the queries, and so of the cached runs
  std::vector<std::size_t> records;
  for (std::size_t run = 0; run < runs_.size(); ++run) {
    records.clear();
    if (runs_[run].keeping) {
      const std::size_t end = runs_[run].first_query + records_;
      for (; next != wanted.end() && *next < end; ++next) records.push_back(record_of(*next));
    } else {
      records.resize(records_);
      std::iota(records.begin(), records.end(), std::size_t{0});
    }
    if (!records.empty()) compute_one(run, records);
    if (thrown_ || !failed_.empty()) return;
  }
}

void Load::compute_one(std::size_t run, std::span<const std::size_t> records) {
  ComputeReport report = api::compute(*engine_.clock, runs_[run], run, records);
  const auto computed = static_cast<std::int64_t>(report.computed.size());
  engine_.counters.computed.add(computed);
  if (runs_[run].registered != nullptr) {
    runs_[run].registered->calculation().count(computed, report.failures);
  }
  computed_.insert(computed_.end(), report.computed.begin(), report.computed.end());
  failed_ = std::move(report.failed);
  thrown_ = std::move(report.thrown);
}

void Load::keep() {
  if (engine_.is_out_of_use()) return;
  std::vector<engine::NewEntry> entries;
  for (const Computed& computed : computed_) keep_one(computed, entries);
  if (!entries.empty()) engine::put(engine_, entries);
}

void Load::keep_one(const Computed& computed, std::vector<engine::NewEntry>& entries) {
  const LoadRun& run = runs_[computed.run];
  if (!run.keeping) return;
  const engine::Query& query = queries_[run.first_query + computed.record];
  if (query.key.size() > kMaxKeyBytes) return engine_.counters.uncached_keys.add();
  const bool is_nothing = run.run->is_nothing(computed.record);
  if (is_nothing && !run.keeping->nothing) return;
  std::optional<Value> value = run.run->encode(computed.record);
  if (!value) return tell_unencodable(engine_, query.key);
  entries.push_back({.key = query.key,
                     .value = std::move(*value),
                     .lifetimes = is_nothing ? *run.keeping->nothing : run.keeping->something,
                     .calculation_id = run.keeping->calculation_id,
                     .record_version = Value(query.record_version),
                     .cost_us = computed.cost_us});
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
