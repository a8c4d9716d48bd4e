#include "engine/catalog.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <ashmemo/error.hpp>

#include <fmt/format.h>

#include "base/test_point.hpp"

namespace ashmemo::engine {

namespace {

// Another program may have written any id. Larger ids are ignored when the next one is chosen.
constexpr std::int64_t kMaxId = std::int64_t{1} << 62;

constexpr auto& kCounts = store::kCalculationCounts<std::int64_t>;
constexpr auto& kCounters = store::kCalculationCounts<Counter>;

/// Whether code of this version, with these types, computed the results of the row. A row of an
/// older program may have no types, or only the type of results.
bool is_of(const store::CalculationRow& row, std::int64_t version, std::string_view result_type) {
  const std::string& known = row.result_type;
  return row.version == version &&
         (known.empty() || known == result_type || result_type.starts_with(known + " of ("));
}

std::int64_t reads_of(const store::CalculationRow& row) {
  return row.hits + row.stale_hits + row.misses;
}

std::string describe(std::int64_t version, std::string_view result_type) {
  const bool has_arguments = result_type.find(" of (") != std::string_view::npos;
  return fmt::format("version {} and results of {} '{}'", version, has_arguments ? "types" : "type",
                     result_type);
}

}  // namespace

Catalog::Catalog(bool writes) : writes_(writes), last_id_(writes ? 0 : kMaxId) {}

std::vector<store::CalculationRow> Catalog::load(const std::vector<store::CalculationRow>& rows) {
  base::Lock lock(mutex_);
  auto rows_before = std::exchange(rows_, {});
  auto retired_before = std::exchange(retired_, {});
  try {
    return load_locked(rows, rows_before, retired_before);
  } catch (...) {  // no memory: the next opening loads the rows again
    rows_.swap(rows_before);
    retired_.swap(retired_before);
    throw;
  }
}

Catalog::Rows Catalog::load_locked(const Rows& rows, const RowsByName& rows_before,
                                   const RowsById& retired_before) {
  Names in_file;
  for (const store::CalculationRow& row : rows) {
    const Name name{row.resource, row.name};
    if (row.id < kMaxId) last_id_ = std::max(last_id_, row.id);
    in_file[row.id] = name;
    if (!row.retired) {
      rows_[name] = row;
      continue;
    }
    // The store reads retired rows without their texts, so they must not be written back.
    const auto known = retired_before.find(row.id);
    retired_[row.id] = known != retired_before.end() ? known->second : as_retired(row);
    unwritten_.erase(row.id);
  }
  Rows unwritten;
  if (writes_) keep_retired_locked(retired_before, in_file, unwritten);
  for (const auto& [name, state] : states_) {
    assign_id_locked(*state, rows_before.at(name), in_file, unwritten);
  }
  current_.clear();
  for (const auto& [name, row] : rows_) current_.insert(row.id);
  for (const store::CalculationRow& row : unwritten) unwritten_.erase(row.id);
  fresh_.clear();
  return unwritten;
}

// Keeps the calculations retired that this process has retired. The file may not have these rows
// yet, or it may be an older copy.
void Catalog::keep_retired_locked(const RowsById& before, const Names& in_file, Rows& unwritten) {
  for (const auto& [id, row] : before) {
    const Name name{row.resource, row.name};
    const auto known = in_file.find(id);
    if (known == in_file.end() || known->second != name || retired_.contains(id)) continue;
    const auto current = rows_.find(name);
    if (current != rows_.end() && current->second.id == id) rows_.erase(current);
    retired_[id] = row;
    unwritten.push_back(row);
  }
}

void Catalog::assign_id_locked(CalculationState& state, store::CalculationRow row,
                               const Names& in_file, Rows& unwritten) {
  const Name name{state.resource, state.name};
  const auto found = rows_.find(name);
  if (found != rows_.end() && may_answer_locked(state, row, found->second)) {
    state.id = found->second.id;
    found->second.policy = state.policy;
    const bool knows_type = found->second.result_type == state.result_type;
    found->second.result_type = state.result_type;
    if (!knows_type) unwritten.push_back(found->second);
    return;
  }
  if (found != rows_.end()) {
    store::CalculationRow old = as_retired(found->second);
    retired_[old.id] = old;
    unwritten.push_back(std::move(old));
  }
  // An id of the old file has no meaning in a file that does not know it: the new file may give it
  // to another calculation.
  if (in_file.contains(row.id) || (!writes_ && row.id < kMaxId)) row.id = ++last_id_;
  state.id = row.id;
  rows_[name] = row;
  unwritten.push_back(std::move(row));
}

// This process may have invalidated the calculation before it saw this file. Then only results with
// an id that this process wrote to the file may answer.
bool Catalog::may_answer_locked(const CalculationState& state, const store::CalculationRow& own,
                                const store::CalculationRow& in_file) const {
  if (!is_of(in_file, state.version, state.result_type)) return false;
  return !state.is_renewed || (in_file.id == own.id && !unwritten_.contains(own.id));
}

CalculationPtr Catalog::add(std::string_view resource, std::string_view name, std::int64_t version,
                            std::string_view policy, std::string_view result_type) {
  const Name key{resource, name};
  base::Lock lock(mutex_);
  if (const auto known = states_.find(key); known != states_.end()) {
    const CalculationState& used = *known->second;
    if (used.version == version && used.result_type == result_type) return known->second;
    throw Error(ErrorCode::misuse,
                fmt::format("calculation {}.{} is in use with {} in this process and cannot be "
                            "registered with {} too",
                            resource, name, describe(used.version, used.result_type),
                            describe(version, result_type)),
                std::string(name));
  }
  if (!rows_.contains(key)) make_space_locked();
  auto state = std::make_shared<CalculationState>();
  state->resource = resource;
  state->name = name;
  state->version = version;
  state->policy = policy;
  state->result_type = result_type;
  const auto row = rows_.find(key);
  if (row == rows_.end() || !is_of(row->second, version, result_type)) {
    renew_locked(state);
  } else {
    state->id = row->second.id;
    state->at_open = row->second;
    if (row->second.policy != policy || row->second.result_type != result_type) {
      row->second.policy = policy;
      row->second.result_type = result_type;
      unwritten_.insert(row->second.id);
    }
  }
  states_.emplace(key, state);  // last: without memory, the row may exist without the state
  return state;
}

// Retires unused calculations until there is space for one more.
void Catalog::make_space_locked() {
  if (!writes_ || rows_.size() < kMaxCalculations) return;
  const std::size_t surplus = rows_.size() - kMaxCalculations + 1;
  std::vector<std::map<Name, store::CalculationRow>::iterator> unused;
  for (auto row = rows_.begin(); row != rows_.end(); ++row) {
    if (!states_.contains(row->first)) unused.push_back(row);
  }
  if (unused.size() < surplus) {
    throw Error(ErrorCode::misuse,
                fmt::format("this process uses {} calculations of one cache, which is the maximum: "
                            "names of calculations must not contain data",
                            kMaxCalculations));
  }
  const auto last = unused.begin() + static_cast<std::ptrdiff_t>(surplus);
  std::partial_sort(unused.begin(), last, unused.end(), [](const auto& a, const auto& b) {
    return reads_of(a->second) < reads_of(b->second);
  });
  for (auto row = unused.begin(); row != last; ++row) {
    retire_locked((*row)->second);
    rows_.erase(*row);
  }
}

void Catalog::renew(const CalculationPtr& calculation) {
  base::Lock lock(mutex_);
  renew_locked(calculation);
  calculation->is_renewed = true;
}

// If memory runs out, the row keeps its old id, and the new one has no results.
void Catalog::renew_locked(const CalculationPtr& calculation) {
  const Name name{calculation->resource, calculation->name};
  const auto before = rows_.find(name);
  store::CalculationRow renewed;
  if (before != rows_.end()) renewed = before->second;  // with its counters
  renewed.id = last_id_ + 1;
  renewed.resource = calculation->resource;
  renewed.name = calculation->name;
  renewed.version = calculation->version;
  renewed.policy = calculation->policy;
  renewed.result_type = calculation->result_type;
  if (calculation->id == 0) calculation->at_open = renewed;
  current_.insert(renewed.id);
  unwritten_.insert(renewed.id);
  fresh_.insert(renewed.id);
  if (before != rows_.end()) retire_locked(before->second);
  last_id_ = renewed.id;
  calculation->id = renewed.id;
  rows_.insert_or_assign(name, std::move(renewed));
}

void Catalog::retire_locked(const store::CalculationRow& row) {
  current_.erase(row.id);
  if (fresh_.erase(row.id) != 0) {
    unwritten_.erase(row.id);
    return;
  }
  unwritten_.insert(row.id);
  retired_[row.id] = as_retired(row);
}

// The counters continue in the new row of the calculation, so they must not be in the file twice.
store::CalculationRow Catalog::as_retired(store::CalculationRow row) {
  add(row, row, -1);
  row.retired = true;
  return row;
}

bool Catalog::has_unwritten() const {
  base::Lock lock(mutex_);
  return !unwritten_.empty();
}

std::vector<store::CalculationRow> Catalog::take_unwritten() {
  base::Lock lock(mutex_);
  Rows out;
  if (unwritten_.empty()) return out;
  for (const auto& [id, row] : retired_) {
    if (unwritten_.contains(id)) out.push_back(row);
  }
  for (const auto& [name, row] : rows_) {
    if (unwritten_.contains(row.id)) out.push_back(row);
  }
  unwritten_.clear();
  fresh_.clear();
  return out;
}

void Catalog::give_back_unwritten(std::span<const store::CalculationRow> rows) {
  base::Lock lock(mutex_);
  for (const store::CalculationRow& row : rows) unwritten_.insert(row.id);
}

bool Catalog::has_current(std::int64_t id) const {
  base::Lock lock(mutex_);
  ASHMEMO_TEST_POINT("catalog: locked");
  return current_.contains(id);
}

std::vector<store::CalculationRow> Catalog::retired() const {
  base::Lock lock(mutex_);
  Rows out;
  for (const auto& [id, row] : retired_) out.push_back(row);
  return out;
}

std::size_t Catalog::retired_count() const {
  base::Lock lock(mutex_);
  return retired_.size();
}

void Catalog::drop_retired(std::span<const std::int64_t> ids) {
  base::Lock lock(mutex_);
  for (const std::int64_t id : ids) {
    retired_.erase(id);
    unwritten_.erase(id);
  }
}

store::CalculationRow Catalog::row_of(const std::string& resource, const std::string& name) const {
  base::Lock lock(mutex_);
  const auto row = rows_.find({resource, name});
  return row != rows_.end() ? row->second : store::CalculationRow();
}

std::vector<CalculationPtr> Catalog::calculations() const {
  base::Lock lock(mutex_);
  std::vector<CalculationPtr> out;
  for (const auto& [name, state] : states_) out.push_back(state);
  return out;
}

std::vector<store::CalculationRow> Catalog::take_counters() {
  std::vector<store::CalculationRow> out;
  base::Lock lock(mutex_);
  for (const auto& [name, state] : states_) {
    CalculationCounters& counted = state->unwritten;
    store::CalculationRow delta;
    delta.id = state->id;
    delta.resource = name.first;
    delta.name = name.second;
    std::int64_t any = 0;
    for (std::size_t i = 0; i < kCounts.size(); ++i) {
      delta.*kCounts[i] = (counted.*kCounters[i]).take();
      any |= delta.*kCounts[i];
    }
    if (any == 0) continue;
    add(rows_[name], delta, 1);
    out.push_back(std::move(delta));
  }
  return out;
}

void Catalog::add(store::CalculationRow& row, const store::CalculationRow& delta,
                  std::int64_t sign) noexcept {
  for (const auto count : kCounts) row.*count += sign * delta.*count;
}

void Catalog::give_back_counters(std::span<const store::CalculationRow> counted) {
  base::Lock lock(mutex_);
  for (const store::CalculationRow& delta : counted) {
    const Name name{delta.resource, delta.name};
    const auto state = states_.find(name);
    if (state == states_.end()) continue;
    add(rows_[name], delta, -1);
    CalculationCounters& unwritten = state->second->unwritten;
    for (std::size_t i = 0; i < kCounts.size(); ++i) {
      (unwritten.*kCounters[i]).add(delta.*kCounts[i]);
    }
  }
}

}  // namespace ashmemo::engine
