#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <ashmemo/key_part.hpp>

#include "api/load.hpp"
#include "api/resource.hpp"
#include "api/run_chain.hpp"

// A load's computing: what becomes of results and failures.

namespace ashmemo::api {

namespace {

void report_unencodable(engine::Engine& engine, std::string_view key) {
  engine.counters.unencodable.add();
  engine.notices.notify(
      NoticeKind::unencodable,
      fmt::format("the result for {} was returned and not kept: its Codec failed", key),
      std::string(key));
}

}  // namespace

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
  const std::int64_t began = engine_.clock->steady_now();
  bool failed = false;
  while (!records.empty()) records = compute_part(run, records, &failed);
  if (runs_[run].keeping) settle_back_off(run, failed, began);
}

// Answers what is still to be computed: of a run for each record, those after one that threw, if an
// older value answers for that one.
std::span<const std::size_t> Load::compute_part(std::size_t run,
                                                std::span<const std::size_t> records,
                                                bool* failed) {
  ComputeReport report = compute_on_chain(run, records);
  const std::size_t done = report.computed.size();
  computed_ += done;
  engine_.counters.computed.add(static_cast<std::int64_t>(done));
  if (detail::CalculationRun* const registered = runs_[run].registered) {
    registered->calculation().count(static_cast<std::int64_t>(done), report.failures);
  }
  const bool threw = static_cast<bool>(report.thrown);
  *failed = *failed || threw || !report.failed.empty();
  if (runs_[run].keeping) end_flights(run, records, report);
  if (!kept_.empty() && runs_[run].keeping) answer_with_kept(run, records, report);
  failed_ = std::move(report.failed);
  thrown_ = std::move(report.thrown);
  const bool goes_on = threw && !thrown_ && !runs_[run].one_call;
  return records.subspan(goes_on ? done + 1 : records.size());
}

ComputeReport Load::compute_on_chain(std::size_t run, std::span<const std::size_t> records) {
  const auto completed = [this](const Computed& computed) { complete(computed); };
  const auto compute_it = [&] {
    return api::compute(*engine_.clock, runs_[run], run, records, completed);
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

void Load::settle_back_off(std::size_t run, bool failed, std::int64_t began) {
  engine::CalculationState* const state = queries_[runs_[run].first_query].calculation;
  if (state == nullptr) return;
  failed ? state->back_off.failed(began, engine_.clock->steady_now()) : state->back_off.succeeded();
  if (!failed) state->failure_reported = false;
}

// Stale-if-error: all that the failure is about must have an older value. What computing has put in
// its place meanwhile is a result, too.
void Load::answer_with_kept(std::size_t run, std::span<const std::size_t> records,
                            ComputeReport& report) {
  std::erase_if(report.failed, [&](const FailedRecord& failed) {
    const bool answered = is_kept(query_of(run, failed.record));
    if (answered) report_failure(run, failed.why);
    return answered;
  });
  if (!report.thrown) return;
  if (!runs_[run].one_call) records = records.subspan(report.computed.size(), 1);
  const bool all_kept = std::all_of(records.begin(), records.end(), [&](std::size_t record) {
    return is_kept(query_of(run, record));
  });
  if (!all_kept) return;
  report_failure(run, what_is(report.thrown));
  report.thrown = nullptr;
}

void Load::report_failure(std::size_t run, const std::string& why) {
  runs_[run].registered->calculation().report_failure(why);
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

void Load::complete(const Computed& computed) {
  const LoadRun& run = runs_[computed.run];
  if (!run.keeping) return;
  const std::size_t query = query_of(computed.run, computed.record);
  if (engine_.is_out_of_use() && claims_.own(query) == nullptr) return;  // nobody wants it
  std::optional<Value> value = run.run->encode(computed.record);
  if (value) {
    claims_.complete(query, *value);
  } else {
    report_unencodable(engine_, queries_[query].key);
  }
  add_entry(computed, std::move(value));
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
  // What is not kept ends an older value that would go on to answer.
  if (!value && !answers_[number].is_hit() && !is_kept(number)) return;
  entries_.push_back({.key = query.key,
                      .value = std::move(value),
                      .lifetimes = lifetimes.value_or(engine::Lifetimes{}),
                      .calculation_id = run.keeping->calculation_id,
                      .record_version = Value(query.record_version),
                      .cost_us = computed.cost_us,
                      .flight = claims_.own(number)});
}

}  // namespace ashmemo::api
