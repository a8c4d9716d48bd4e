#include <exception>
#include <string_view>
#include <utility>

#include "api/load.hpp"
#include "api/resource.hpp"
#include "base/forced_unwind.hpp"
#include "engine/in_flight.hpp"

// The background batches that a load queues.

namespace ashmemo::api {

std::unique_ptr<Refresh> Refresh::begin(engine::Engine& engine, const LoadRun& run,
                                        std::span<const engine::Query> queries,
                                        std::span<const std::size_t> stale,
                                        std::uint64_t removals) {
  if (engine.options.access == Access::read_only) return nullptr;  // nothing could be stored
  const engine::CalculationState* const state = run.registered->calculation().state();
  if (state == nullptr) return nullptr;
  std::unique_ptr<Refresh> refresh(new Refresh(engine, run, *state));
  const std::vector<std::size_t> records =
      refresh->take_over(queries, stale, run.first_query, removals);
  if (records.empty()) return nullptr;
  refresh->take(run.registered->own(records));
  return refresh;
}

Refresh::Refresh(engine::Engine& engine, const LoadRun& run, const engine::CalculationState& state)
    : RefreshBatch(&state), engine_(engine), run_(run), scope_(run.scope) {
  run_.first_query = 0;
  run_.scope = scope_;
}

void Refresh::take(std::unique_ptr<detail::OwnedRun> records) {
  records_ = std::move(records);
  run_.run = run_.registered = &records_->run();
}

Refresh::~Refresh() {
  // The calculation has forked, or the child destroys queued tasks: the mutex may be locked.
  if (engine_.process.is_forked_child()) return;
  engine_.refreshes->end(*this);
}

/// Returns the records of the queries that no other batch refreshes.
std::vector<std::size_t> Refresh::take_over(std::span<const engine::Query> queries,
                                            std::span<const std::size_t> stale,
                                            std::size_t first_query, std::uint64_t removals) {
  like_ = queries[stale.front()];
  like_.record_version = {};
  std::vector<std::string_view> keys;
  keys.reserve(stale.size());
  for (const std::size_t query : stale) keys.push_back(queries[query].key);
  const std::vector<std::size_t> taken = engine_.in_flight.begin_refresh(*this, keys, removals);
  std::vector<std::size_t> records;
  records.reserve(taken.size());
  for (const std::size_t place : taken) {
    const engine::Query& query = queries[stale[place]];
    if (query.record_version.type() != ValueType::null) {
      versions_.resize(records.size() + 1);
      versions_.back() = Value(query.record_version);
    }
    records.push_back(stale[place] - first_query);
  }
  return records;
}

std::vector<engine::Query> Refresh::queries() const {
  std::vector<engine::Query> queries(keys().size(), like_);
  for (std::size_t i = 0; i < queries.size(); ++i) queries[i].key = keys()[i];
  for (std::size_t i = 0; i < versions_.size(); ++i) queries[i].record_version = versions_[i];
  return queries;
}

void Refresh::run() try {
  if (!engine_.is_out_of_use()) compute();
} catch (...) {
  base::pass_forced_unwind();
  engine_.counters.worker_errors.add();
  run_.registered->calculation().report_failure(text_of(std::current_exception()));
}

void Refresh::compute() {
  const engine::Refreshing refreshing(engine_.in_flight.closed());
  const detail::CarriedScope carried(run_.registered->calculation().resource(), scope_);
  const std::vector<engine::Query> all = queries();
  const auto key_of = [this](const LoadRun&, std::size_t record) {
    return std::string(keys()[record]);
  };
  Load(engine_, std::span(&run_, 1), all.size(), all, key_of, {}).refresh(*this);
}

}  // namespace ashmemo::api
