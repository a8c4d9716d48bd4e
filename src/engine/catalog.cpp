#include "engine/catalog.hpp"

#include <algorithm>

#include <ashmemo/error.hpp>

#include <fmt/format.h>

namespace ashmemo::engine {

void Catalog::load(const std::vector<store::CalculationRow>& rows) {
  base::Lock lock(mutex_);
  for (const store::CalculationRow& row : rows) {
    last_id_ = std::max(last_id_, row.id);
    if (row.retired) {
      retired_[row.id] = row;
    } else {
      rows_[{row.resource, row.name}] = row;
      current_.insert(row.id);
    }
  }
}

Catalog::Change Catalog::add(std::string_view resource, std::string_view name,
                             std::int64_t version, std::string_view policy) {
  const Name key{resource, name};
  base::Lock lock(mutex_);
  if (const auto known = states_.find(key); known != states_.end()) {
    if (known->second->version == version) return {known->second, {}};
    throw Error(ErrorCode::misuse,
                fmt::format("calculation {}.{} is in use with version {} in this process and cannot be "
                     "registered with version {} too",
                     resource, name, known->second->version, version),
                std::string(name));
  }
  auto state = std::make_shared<CalculationState>();
  state->resource = resource;
  state->name = name;
  state->version = version;
  state->policy = policy;
  states_[key] = state;
  const auto row = rows_.find(key);
  if (row == rows_.end() || row->second.version != version) return renew_locked(state);
  state->id = row->second.id;
  state->at_open = row->second;
  if (row->second.policy == policy) return {state, {}};
  row->second.policy = policy;
  return {state, {row->second}};
}

Catalog::Change Catalog::renew(const CalculationPtr& calculation) {
  base::Lock lock(mutex_);
  return renew_locked(calculation);
}

Catalog::Change Catalog::renew_locked(const CalculationPtr& calculation) {
  Change change{calculation, {}};
  store::CalculationRow& row = rows_[{calculation->resource, calculation->name}];
  if (row.id != 0) {
    store::CalculationRow old = row;
    old.retired = true;
    retired_[old.id] = old;
    current_.erase(old.id);
    change.rows.push_back(std::move(old));
  } else {
    row.resource = calculation->resource;
    row.name = calculation->name;
  }
  row.id = ++last_id_;
  row.version = calculation->version;
  row.policy = calculation->policy;
  current_.insert(row.id);
  change.rows.push_back(row);
  if (calculation->id == 0) calculation->at_open = row;
  calculation->id = row.id;
  return change;
}

bool Catalog::is_current(std::int64_t id) const {
  if (id == 0) return true;
  base::Lock lock(mutex_);
  return current_.contains(id);
}

std::vector<std::int64_t> Catalog::retired() const {
  base::Lock lock(mutex_);
  std::vector<std::int64_t> ids;
  for (const auto& [id, row] : retired_) ids.push_back(id);
  return ids;
}

void Catalog::forget(const std::vector<std::int64_t>& retired) {
  base::Lock lock(mutex_);
  for (const std::int64_t id : retired) retired_.erase(id);
}

std::vector<CalculationPtr> Catalog::calculations() const {
  base::Lock lock(mutex_);
  std::vector<CalculationPtr> out;
  for (const auto& [name, state] : states_) out.push_back(state);
  return out;
}

std::vector<store::CalculationRow> Catalog::rows() const {
  base::Lock lock(mutex_);
  std::vector<store::CalculationRow> out;
  for (const auto& [name, row] : rows_) out.push_back(row);
  return out;
}

std::vector<store::CalculationRow> Catalog::take_counters() {
  std::vector<store::CalculationRow> out;
  base::Lock lock(mutex_);
  for (const auto& [name, state] : states_) {
    CalculationCounters& counted = state->unwritten;
    store::CalculationRow delta;
    delta.id = state->id;
    delta.hits = counted.hits.take();
    delta.stale_hits = counted.stale_hits.take();
    delta.misses = counted.misses.take();
    delta.computed = counted.computed.take();
    delta.failed = counted.failed.take();
    delta.saved_us = counted.saved_us.take();
    if ((delta.hits | delta.stale_hits | delta.misses | delta.computed | delta.failed) == 0) continue;
    store::CalculationRow& row = rows_[name];
    row.hits += delta.hits;
    row.stale_hits += delta.stale_hits;
    row.misses += delta.misses;
    row.computed += delta.computed;
    row.failed += delta.failed;
    row.saved_us += delta.saved_us;
    out.push_back(std::move(delta));
  }
  return out;
}

}  // namespace ashmemo::engine
