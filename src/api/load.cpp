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
#include "api/run_chain.hpp"
#include "base/test_point.hpp"
#include "engine/submit.hpp"
#include "engine/waits.hpp"

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

/// A sink's queries that are read by themselves.
class SomeQueries final : public engine::AnswerSink {
 public:
  SomeQueries(RunSink& sink, const std::vector<std::size_t>& queries)
      : sink_(sink), queries_(queries) {}

  bool take(std::size_t index, Freshness freshness, ValueView value) override {
    return freshness == Freshness::fresh && sink_.take(queries_[index], freshness, value);
  }
  [[nodiscard]] bool in_place(std::size_t index) const noexcept override {
    return sink_.in_place(queries_[index]);
  }

 private:
  RunSink& sink_;
  const std::vector<std::size_t>& queries_;
};

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
  compute(claim(distinct(split())), true);
  keep();
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
  engine::read(engine_, queries_, found, answers_);
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

std::vector<std::size_t> Load::claim(const std::vector<std::size_t>& missing) {
  ASHMEMO_TEST_POINT("load: looked up");
  std::vector<std::size_t> own = claims_.claim(missing);
  return claims_.must_look_again() ? look_again(own) : own;
}

// What another flight has stored after our look-up need not be computed once more.
std::vector<std::size_t> Load::look_again(const std::vector<std::size_t>& wanted) {
  std::vector<engine::Query> queries;
  for (const std::size_t query : wanted) queries.push_back(queries_[query]);
  std::vector<engine::Answer> answers(queries.size());
  RunSink found = sink();
  SomeQueries some(found, wanted);
  engine::read(engine_, queries, some, answers);
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!answers[i].is_hit() || answers[i].freshness != Freshness::fresh) {
      missing.push_back(wanted[i]);
      continue;
    }
    engine_.counters.joined.add();
    if (const auto value = run_of(wanted[i]).run->encode(record_of(wanted[i]))) {
      claims_.land(wanted[i], *value);
    }
  }
  return missing;
}

void Load::compute(const std::vector<std::size_t>& wanted, bool with_uncached) {
  auto next = wanted.begin();  // in the order of the queries, and so of the cached runs
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
    if (!records.empty()) compute_one(run, records);
    if (is_lost()) return;
  }
}

void Load::compute_one(std::size_t run, std::span<const std::size_t> records) {
  ComputeReport report = compute_on_chain(run, records);
  const auto computed = static_cast<std::int64_t>(report.computed.size());
  computed_ += report.computed.size();
  engine_.counters.computed.add(computed);
  if (runs_[run].registered != nullptr) {
    runs_[run].registered->calculation().count(computed, report.failures);
  }
  if (runs_[run].keeping) end_flights(run, records, report);
  failed_ = std::move(report.failed);
  thrown_ = std::move(report.thrown);
}

ComputeReport Load::compute_on_chain(std::size_t run, std::span<const std::size_t> records) {
  const auto landed = [this](const Computed& computed) { land(computed); };
  const auto compute_it = [&] {
    return api::compute(*engine_.clock, runs_[run], run, records, landed);
  };
  if (!runs_[run].keeping) return compute_it();
  std::vector<const engine::Query*> keys;
  keys.reserve(records.size());
  for (const std::size_t record : records) keys.push_back(&queries_[query_of(run, record)]);
  const void* const what = runs_[run].registered != nullptr
                               ? static_cast<const void*>(&runs_[run].registered->calculation())
                               : &engine_;
  try {
    const RunOnChain on_chain(what, std::move(keys));
    return compute_it();
  } catch (...) {  // it would never end
    ComputeReport report;
    report.thrown = std::current_exception();
    return report;
  }
}

// Those who wait share what a run for one key threw; of a batch that threw each computes its own.
void Load::end_flights(std::size_t run, std::span<const std::size_t> records,
                       const ComputeReport& report) {
  for (const FailedRecord& failed : report.failed) {
    claims_.end_failed(query_of(run, failed.record), failed.why);
  }
  if (!report.thrown || (runs_[run].one_call && records.size() > 1)) return;
  const std::size_t at = report.computed.size();  // the one after those that were computed
  if (at < records.size()) claims_.end_thrown(query_of(run, records[at]), report.thrown);
}

void Load::land(const Computed& computed) {
  const LoadRun& run = runs_[computed.run];
  if (!run.keeping) return;
  const std::size_t query = query_of(computed.run, computed.record);
  std::optional<Value> value = run.run->encode(computed.record);
  if (!value) return tell_unencodable(engine_, queries_[query].key);
  claims_.land(query, *value);
  add_entry(computed, std::move(*value));
}

void Load::add_entry(const Computed& computed, Value value) {
  const LoadRun& run = runs_[computed.run];
  const std::size_t number = query_of(computed.run, computed.record);
  const engine::Query& query = queries_[number];
  if (engine_.is_out_of_use()) return;
  if (query.key.size() > kMaxKeyBytes) return engine_.counters.uncached_keys.add();
  const bool is_nothing = run.run->is_nothing(computed.record);
  if (is_nothing && !run.keeping->nothing) return;
  entries_.push_back({.key = query.key,
                      .value = std::move(value),
                      .lifetimes = is_nothing ? *run.keeping->nothing : run.keeping->something,
                      .calculation_id = run.keeping->calculation_id,
                      .record_version = Value(query.record_version),
                      .cost_us = computed.cost_us,
                      .flight = claims_.own(number)});
}

void Load::keep() {
  if (!entries_.empty()) engine::put(engine_, entries_);
  entries_.clear();
  claims_.leave();
}

void Load::join() {
  std::optional<engine::Patience> patience;
  if (wait_) patience.emplace(*engine_.clock, wait_->count());
  std::vector<std::size_t> own;  // that must be computed here after all
  for (const Claims::Joined& joined : claims_.joined()) {
    if (!take_joined(joined, patience ? &*patience : nullptr)) own.push_back(joined.query);
    if (thrown_) return;
  }
  if (own.empty() || is_lost()) return;
  compute(own, false);
  keep();
}

bool Load::take_joined(const Claims::Joined& joined, const engine::Patience* patience) {
  using Waited = engine::Flights::Waited;
  ASHMEMO_TEST_POINT("load: waits");
  const Waited waited = engine_.flights.wait(joined.flight, engine::this_party(), patience);
  return waited == Waited::ended && take_ended(joined.query, *joined.flight);
}

bool Load::take_ended(std::size_t query, const engine::Flight& flight) {
  using State = engine::Flight::State;
  switch (flight.state) {
    case State::landed:
      if (!run_of(query).run->decode(record_of(query), flight.value)) return false;
      engine_.counters.joined.add();
      return true;
    case State::thrown:
      thrown_ = flight.thrown;
      return true;
    case State::failed: {
      const std::size_t run = cached_[query / records_];
      if (failed_.empty() || failed_.front().run == run) {
        failed_.push_back({run, record_of(query), flight.why});
      }
      return true;
    }
    case State::flying:
    case State::abandoned:
      break;
  }
  return false;
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
