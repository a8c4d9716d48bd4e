#include <fmt/format.h>

#include <string_view>
#include <vector>

#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/error.hpp>

#include "api/load.hpp"
#include "api/load_keys.hpp"
#include "api/resource.hpp"
#include "engine/reading.hpp"

// Loads and look-ups of registered calculations.

namespace ashmemo::detail {

namespace {

void require_possible(const LoadOptions& options) {
  if (!options.wait || options.wait->count() >= 0) return;
  throw Error(
      ErrorCode::misuse,
      fmt::format("LoadOptions: wait is {}, it cannot be negative", to_string(*options.wait)),
      "wait");
}

api::Keeping keeping_of(const CalculationCore& calculation) {
  const engine::CalculationState* const state = calculation.state();
  return {.calculation_id = state != nullptr ? state->id.load() : 0,
          .something = calculation.lifetimes().something,
          .nothing = calculation.lifetimes().nothing};
}

/// The runs as a load takes them, and the cached ones among them.
struct Plan {
  Plan(std::span<CalculationRun* const> asked, std::size_t records, bool only_cached,
       std::string_view scope) {
    for (CalculationRun* const run : asked) {
      const CalculationCore& calculation = run->calculation();
      if (only_cached && !calculation.is_cached()) continue;
      api::LoadRun& one = runs.emplace_back();
      one.run = run;
      one.registered = run;
      one.one_call = calculation.takes_batches();
      if (!calculation.is_cached()) continue;
      one.keeping = keeping_of(calculation);
      one.first_query = cached.size() * records;
      one.scope = scope;
      cached.push_back(run);
    }
  }

  std::vector<api::LoadRun> runs;
  std::vector<CalculationRun*> cached;
};

}  // namespace

std::size_t load(ResourceCore& resource, const RecordSource& records,
                 std::span<CalculationRun* const> runs, const LoadOptions& options,
                 bool only_cached) {
  require_possible(options);
  if (records.size() == 0) return 0;
  resource.freeze();
  api::PageKeys keys(resource, records);
  const Plan plan(runs, records.size(), only_cached, keys.scope());
  const std::vector<engine::Query> queries = keys.queries(plan.cached);
  const auto key_of = [&keys](const api::LoadRun& run, std::size_t record) {
    return keys.key(*run.registered, record);
  };
  return api::Load(resource.engine(), plan.runs, records.size(), queries, key_of, options).run();
}

void look_up(ResourceCore& resource, const RecordSource& records, CalculationRun& run) {
  if (records.size() == 0) return;
  resource.freeze();
  if (!run.calculation().is_cached()) return;
  api::PageKeys keys(resource, records);
  const std::vector<engine::Query> queries = keys.queries({&run});
  std::vector<engine::Answer> answers(queries.size());
  api::RunSink sink({&run}, records.size());
  const std::int64_t now = engine::read(resource.engine(), queries, sink, answers);
  engine::mark_touches(resource.engine(), queries, answers, now);
}

std::string record_key(const ResourceCore& resource, const RecordSource& record) {
  std::string out = resource.key_prefix();
  record.append_key(0, out);
  out.pop_back();  // the colon
  return out;
}

std::string cache_key(const ResourceCore& resource, const RecordSource& record,
                      const CalculationRun& run) {
  return api::PageKeys(resource, record).key(run, 0);
}

}  // namespace ashmemo::detail
