#include "api/load_refresh.hpp"

#include <exception>
#include <utility>

#include "api/load.hpp"
#include "api/load_keys.hpp"
#include "api/resource.hpp"

namespace ashmemo::api {

namespace {

bool pauses(const engine::Engine& engine, const engine::CalculationState& calculation) {
  return !calculation.back_off.is_over(engine.clock->steady_now());
}

}  // namespace

std::shared_ptr<Refresh> Refresh::begin(engine::Engine& engine, const LoadRun& run,
                                        std::span<const engine::Query> queries,
                                        std::span<const std::size_t> stale,
                                        std::uint64_t removals) {
  if (engine.options.access == Access::read_only) return nullptr;  // it could not be stored
  const engine::CalculationState* const state = run.registered->calculation().state();
  if (state == nullptr || pauses(engine, *state)) return nullptr;
  std::shared_ptr<Refresh> refresh(new Refresh(engine, run));
  const std::vector<std::size_t> records =
      refresh->take_over(queries, stale, run.first_query, removals);
  if (records.empty()) return nullptr;
  refresh->take(run.registered->own(records));
  return refresh;
}

Refresh::Refresh(engine::Engine& engine, const LoadRun& run)
    : engine_(engine), run_(run), scope_(run.scope) {
  run_.first_query = 0;
  run_.scope = scope_;
}

void Refresh::take(std::unique_ptr<detail::OwnedRun> records) {
  records_ = std::move(records);
  run_.run = run_.registered = &records_->run();
}

Refresh::~Refresh() {
  if (engine_.process.is_forked_child()) return;  // the calculation forked, or queued tasks ended
  if (keys_.size() != 0) engine_.in_flight.end_refresh(keys_);
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
  const std::vector<std::size_t> taken = engine_.in_flight.begin_refresh(keys_, keys, removals);
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
  std::vector<engine::Query> queries(keys_.size(), like_);
  for (std::size_t i = 0; i < keys_.size(); ++i) queries[i].key = keys_[i];
  for (std::size_t i = 0; i < versions_.size(); ++i) queries[i].record_version = versions_[i];
  return queries;
}

void Refresh::run() noexcept try {
  // Another refresh may have failed since this one was queued.
  if (!engine_.is_out_of_use() && !pauses(engine_, *like_.calculation)) compute();
} catch (const std::exception& error) {
  engine_.counters.worker_errors.add();
  run_.registered->calculation().report_failure(error.what());
} catch (...) {
  engine_.counters.worker_errors.add();
}

void Refresh::compute() {
  const engine::Refreshing refreshing(engine_.in_flight.closed());
  const CarriedScope carried(run_.registered->calculation().resource(), scope_);
  const std::vector<engine::Query> all = queries();
  const auto key_of = [this](const LoadRun&, std::size_t record) {
    return std::string(keys_[record]);
  };
  Load(engine_, std::span(&run_, 1), all.size(), all, key_of, {}).refresh(keys_);
}

}  // namespace ashmemo::api
