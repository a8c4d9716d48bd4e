#include "api/load_refresh.hpp"

#include <exception>
#include <utility>

#include "api/load.hpp"
#include "api/resource.hpp"

namespace ashmemo::api {

std::shared_ptr<Refresh> Refresh::begin(engine::Engine& engine, const LoadRun& run,
                                        std::span<const engine::Query> queries,
                                        std::span<const std::size_t> stale) {
  if (engine.options.access == Access::read_only) return nullptr;  // it could not be kept
  const engine::CalculationState* const state = run.registered->calculation().state();
  if (state == nullptr || !state->back_off.is_over(engine.clock->steady_now())) return nullptr;
  std::shared_ptr<Refresh> refresh(new Refresh(engine, run));
  std::vector<std::size_t> records;
  for (const std::size_t query : stale) {
    if (!engine.refreshes.begin(queries[query].key)) continue;
    refresh->add(queries[query]);
    records.push_back(query - run.first_query);
  }
  if (records.empty()) return nullptr;
  refresh->take(run.registered->own(records));
  return refresh;
}

Refresh::Refresh(engine::Engine& engine, const LoadRun& run) : engine_(engine), run_(run) {
  run_.first_query = 0;
}

void Refresh::take(std::unique_ptr<detail::OwnedRun> records) {
  records_ = std::move(records);
  run_.run = run_.registered = &records_->run();
}

Refresh::~Refresh() {
  if (engine_.home.is_elsewhere()) return;
  for (const std::string& key : keys_) engine_.refreshes.end(key);
}

void Refresh::add(const engine::Query& query) {
  like_ = query;
  keys_.emplace_back(query.key);
  versions_.emplace_back(query.record_version);
}

std::vector<engine::Query> Refresh::queries() const {
  std::vector<engine::Query> queries(keys_.size(), like_);
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    queries[i].key = keys_[i];
    queries[i].record_version = versions_[i];
  }
  return queries;
}

void Refresh::run() noexcept try {
  if (!engine_.is_out_of_use()) compute();
} catch (const std::exception& error) {
  engine_.counters.worker_errors.add();
  engine_.notices.tell(NoticeKind::calculation_failed, error.what(), keys_.front());
} catch (...) {
  engine_.counters.worker_errors.add();
}

void Refresh::compute() {
  const std::vector<engine::Query> all = queries();
  const auto key_of = [this](const LoadRun&, std::size_t record) { return keys_[record]; };
  Load(engine_, std::span(&run_, 1), all.size(), all, key_of, {}).refresh();
}

}  // namespace ashmemo::api
