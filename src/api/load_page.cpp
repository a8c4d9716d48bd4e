#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/detail/core.hpp>
#include <ashmemo/error.hpp>

#include "api/core.hpp"
#include "api/load.hpp"
#include "api/resource.hpp"
#include "engine/reading.hpp"

// Loads and look-ups of registered calculations, and get_or_compute.

namespace ashmemo::api {

namespace {

/// The keys of a page: "Post:42:" of the record and "excerpt(80)@acme" of the run. The constructor
/// calls the scope function, except in a refresh.
///
/// All keys of the queries are in one string, so a key costs no allocation. They are valid as long
/// as this object.
class PageKeys {
 public:
  PageKeys(const detail::ResourceCore& resource, const detail::RecordSource& records);
  PageKeys(const PageKeys&) = delete;
  PageKeys& operator=(const PageKeys&) = delete;

  /// One query for each record of each run: all of the first run, then all of the next.
  [[nodiscard]] std::vector<engine::Query> queries(
      const std::vector<detail::CalculationRun*>& runs);
  [[nodiscard]] std::string key(const detail::CalculationRun& run, std::size_t record) const;
  [[nodiscard]] std::string_view scope() const noexcept { return scope_; }

 private:
  void build_records();
  /// Returns the number of bytes of each run's call in `keys_`.
  std::vector<std::size_t> build_keys(const std::vector<detail::CalculationRun*>& runs);
  [[nodiscard]] std::string call_of(const detail::CalculationRun& run) const;
  [[nodiscard]] std::string_view record_key(std::size_t record) const;

  const detail::ResourceCore& resource_;
  const detail::RecordSource& records_;
  std::string scope_;              // "@acme"
  std::string record_keys_;        // "Post:42:Post:43:"
  std::vector<std::size_t> ends_;  // of each record's key in record_keys_
  std::vector<Value> versions_;    // by record; empty: the resource has no versions
  std::string keys_;
};

PageKeys::PageKeys(const detail::ResourceCore& resource, const detail::RecordSource& records)
    : resource_(resource), records_(records) {
  if (const std::string_view* const carried = detail::CarriedScope::of(resource)) {
    scope_ = *carried;
  } else {
    resource.append_scope(scope_);
  }
}

std::string PageKeys::call_of(const detail::CalculationRun& run) const {
  std::string out;
  run.append_call(out);
  return out += scope_;
}

std::string PageKeys::key(const detail::CalculationRun& run, std::size_t record) const {
  std::string out = resource_.key_prefix();
  records_.append_key(record, out);
  return out += call_of(run);
}

std::string_view PageKeys::record_key(std::size_t record) const {
  const std::size_t begin = record == 0 ? 0 : ends_[record - 1];
  return std::string_view(record_keys_).substr(begin, ends_[record] - begin);
}

void PageKeys::build_records() {
  ends_.reserve(records_.size());
  for (std::size_t record = 0; record < records_.size(); ++record) {
    record_keys_ += resource_.key_prefix();
    records_.append_key(record, record_keys_);
    ends_.push_back(record_keys_.size());
  }
  if (!records_.has_versions()) return;
  versions_.reserve(records_.size());
  for (std::size_t record = 0; record < records_.size(); ++record) {
    versions_.push_back(records_.version(record));
  }
}

std::vector<std::size_t> PageKeys::build_keys(const std::vector<detail::CalculationRun*>& runs) {
  std::vector<std::string> calls;
  std::vector<std::size_t> call_bytes;
  std::size_t bytes = 0;
  for (const detail::CalculationRun* run : runs) {
    calls.push_back(call_of(*run));
    call_bytes.push_back(calls.back().size());
    bytes += record_keys_.size() + records_.size() * calls.back().size();
  }
  keys_.reserve(bytes);
  for (const std::string& call : calls) {
    for (std::size_t record = 0; record < records_.size(); ++record) {
      keys_ += record_key(record);
      keys_ += call;
    }
  }
  return call_bytes;
}

std::vector<engine::Query> PageKeys::queries(const std::vector<detail::CalculationRun*>& runs) {
  std::vector<engine::Query> out;
  if (runs.empty()) return out;
  build_records();
  const std::vector<std::size_t> call_bytes = build_keys(runs);
  out.reserve(runs.size() * records_.size());
  std::string_view rest = keys_;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const detail::CalculationCore& calculation = runs[i]->calculation();
    for (std::size_t record = 0; record < records_.size(); ++record) {
      const std::size_t bytes = record_key(record).size() + call_bytes[i];
      out.push_back({.key = rest.substr(0, bytes),
                     .calculation = calculation.state(),
                     .record_version = versions_.empty() ? ValueView() : versions_[record].view(),
                     .lifetimes = calculation.lifetimes().something,
                     .nothing = calculation.lifetimes().nothing.value_or(engine::kNoLifetimes)});
      rest.remove_prefix(bytes);
    }
  }
  return out;
}

}  // namespace

}  // namespace ashmemo::api

namespace ashmemo::detail {

namespace {

void require_possible(const LoadOptions& options) {
  if (!options.wait || options.wait->count() >= 0) return;
  throw Error(
      ErrorCode::misuse,
      fmt::format("LoadOptions: wait is {}; it must not be negative", to_string(*options.wait)),
      "wait");
}

api::Keeping keeping_of(const CalculationCore& calculation) {
  const engine::CalculationState* const state = calculation.state();
  return {.calculation_id = state != nullptr ? state->id.load() : 0,
          .something = calculation.lifetimes().something,
          .nothing = calculation.lifetimes().nothing};
}

/// The runs of a load, and the cached ones among them.
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

// get_or_compute is a load with keys instead of records, and a loader instead of a calculation.
void get_or_compute(Core& core, std::span<const std::string_view> keys, PageRun& run,
                    const PutOptions& options) {
  const CachePolicy policy{.ttl = options.ttl};
  api::require_possible(policy, "PutOptions");
  for (const std::string_view key : keys) require_key(key);
  if (keys.empty()) return;
  std::vector<engine::Query> queries(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) queries[i].key = keys[i];
  const engine::Lifetimes lifetimes = api::lifetimes_of(policy, policy.ttl);
  api::LoadRun loader;
  loader.run = &run;
  loader.keeping = api::Keeping{.something = lifetimes, .nothing = lifetimes};
  const auto key_of = [keys](const api::LoadRun&, std::size_t record) {
    return std::string(keys[record]);
  };
  api::Load(core.engine, std::span(&loader, 1), keys.size(), queries, key_of, {}).run();
}

}  // namespace ashmemo::detail
