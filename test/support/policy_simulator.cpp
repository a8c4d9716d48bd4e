#include "support/policy_simulator.hpp"

#include <algorithm>

namespace ashmemo::test {

bool PolicySimulator::request(std::string_view key, const Entry& entry) {
  const bool hit = get(key, entry.calculation_id);
  ++counts_.requests;
  counts_.requested_bytes += entry.bytes;
  if (hit) {
    ++counts_.hits;
    counts_.hit_bytes += entry.bytes;
  } else {
    put(key, entry);
  }
  return hit;
}

bool PolicySimulator::get(std::string_view key, std::int64_t calculation_id) {
  const auto found = rowids_.find(std::string(key));
  if (found == rowids_.end()) return false;
  Row& row = rows_.at(found->second);
  if (now_ >= row.expires_at || row.calculation_id != calculation_id) return false;
  row.accessed_at = ++last_stamp_;
  ++row.touches;
  return true;
}

void PolicySimulator::put(std::string_view key, const Entry& entry) {
  const eviction::Admission admission = policy_->admit(key);
  const auto [found, is_new] = rowids_.try_emplace(std::string(key), last_rowid_ + 1);
  Row& row = rows_[found->second];
  if (is_new) {
    row.stored.rowid = ++last_rowid_;
    row.stored.key = key;
    row.stored.eviction_queue = admission.queue;
  } else {
    remove_from_queue(row);
  }
  if (!is_new && now_ < row.expires_at && row.calculation_id == entry.calculation_id) {
    overwrite(row);
  } else {
    row.stored.inserted_at = row.accessed_at = ++last_stamp_;
    row.stored.eviction_counter = is_new ? admission.counter : 0;
    row.touches = 0;
  }
  row.stored.byte_size = entry.bytes;
  row.expires_at = entry.expires_at;
  row.calculation_id = entry.calculation_id;
  add_to_queue(row);
  newest_rowid_ = row.stored.rowid;
  evict_excess();
}

/// A live row of the same calculation keeps its place in its queue.
void PolicySimulator::overwrite(Row& row) {
  const store::Overwrite effect = policy_->overwrite();
  row.stored.eviction_counter =
      std::min(row.stored.eviction_counter + effect.reads, eviction::kMaxCounter);
  if (effect.is_access) row.accessed_at = ++last_stamp_;
}

void PolicySimulator::set_limits(Limits limits) {
  limits_ = limits;
  evict_excess();
}

bool PolicySimulator::contains(std::string_view key) const {
  return rowids_.contains(std::string(key));
}

std::vector<std::string> PolicySimulator::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, rowid] : rowids_) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

double PolicySimulator::hit_ratio() const {
  return static_cast<double>(counts_.hits) /
         static_cast<double>(std::max<std::int64_t>(counts_.requests, 1));
}

bool PolicySimulator::is_over_limit() const {
  return sizes_.entries > limits_.max_entries || sizes_.bytes > limits_.max_bytes;
}

void PolicySimulator::evict_excess() {
  sizes_.max_entries = limits_.max_entries;
  sizes_.max_bytes = limits_.max_bytes;
  if (is_over_limit()) remove_expired();
  while (is_over_limit()) evict_one();
}

void PolicySimulator::remove_expired() {
  for (auto at = rows_.begin(); at != rows_.end();) {
    Row& row = (at++)->second;
    if (now_ >= row.expires_at) erase(row);
  }
}

void PolicySimulator::evict_one() {
  std::int64_t reinsertions = 0;
  Row* row = &oldest_row();
  for (; reinsertions_.is_allowed(); ++reinsertions) {
    store::Candidate candidate = row->stored;
    candidate.accessed_at = row->accessed_at;
    const auto verdict = policy_->decide(candidate, row->touches, ++last_stamp_);
    if (verdict.evict) break;
    reinsert(*row, verdict.placement);
    reinsertions_.reinserted();
    row = &oldest_row();
  }
  policy_->evicted(row->stored, sizes_);
  erase(*row);
  reinsertions_.deleted();
  ++counts_.evictions;
  counts_.reinsertions += reinsertions;
  counts_.max_reinsertions = std::max(counts_.max_reinsertions, reinsertions);
}

PolicySimulator::Row& PolicySimulator::oldest_row() {
  const auto asked = static_cast<std::size_t>(policy_->next_queue(sizes_));
  for (const auto* queue : {&queues_[asked], &queues_[1 - asked]}) {
    for (const auto& [inserted_at, rowid] : *queue) {
      if (rowid != newest_rowid_) return rows_.at(rowid);
    }
  }
  return rows_.at(newest_rowid_);
}

void PolicySimulator::reinsert(Row& row, const store::Placement& to) {
  remove_from_queue(row);
  row.stored.inserted_at = to.inserted_at;
  row.stored.accessed_at = row.accessed_at = to.accessed_at;
  row.stored.eviction_counter = to.eviction_counter;
  row.stored.eviction_queue = to.eviction_queue;
  row.touches = 0;
  add_to_queue(row);
}

void PolicySimulator::erase(Row& row) {
  remove_from_queue(row);
  rowids_.erase(row.stored.key);
  rows_.erase(row.stored.rowid);
}

void PolicySimulator::add_to_queue(Row& row) {
  queues_[row.stored.eviction_queue].emplace(row.stored.inserted_at, row.stored.rowid);
  ++sizes_.entries;
  sizes_.bytes += row.stored.byte_size;
  if (row.stored.eviction_queue == store::kProbationQueue) {
    ++sizes_.probation_entries;
    sizes_.probation_bytes += row.stored.byte_size;
  }
}

void PolicySimulator::remove_from_queue(const Row& row) {
  queues_[row.stored.eviction_queue].erase({row.stored.inserted_at, row.stored.rowid});
  --sizes_.entries;
  sizes_.bytes -= row.stored.byte_size;
  if (row.stored.eviction_queue == store::kProbationQueue) {
    --sizes_.probation_entries;
    sizes_.probation_bytes -= row.stored.byte_size;
  }
}

}  // namespace ashmemo::test
