#include "api/browse.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <ashmemo/error.hpp>

#include "api/calculation.hpp"
#include "api/core.hpp"
#include "base/test_point.hpp"
#include "engine/freshness.hpp"

namespace ashmemo::detail {

namespace {

// The number of entries that are copied at a time. Visitors run between pages, while no reader
// connection is in use.
constexpr int kPage = 256;

/// The entry that a pending write will become.
store::StoredEntry entry_of(std::string_view key, const engine::Write& write) {
  store::StoredEntry entry(key, write.view());
  entry.info.byte_size = write.byte_size();
  entry.info.inserted_at = entry.info.accessed_at = write.deadlines().computed_at;
  entry.info.access_count = write.touches.load(std::memory_order_relaxed);
  return entry;
}

/// One pass over all entries with a prefix. It merges pending writes into the pages of the store.
class Walk {
 public:
  Walk(engine::Engine& engine, std::string_view prefix, const EntryVisitor& visit)
      : engine_(engine),
        visit_(visit),
        prefix_(prefix),
        removed_(engine.pending.range_removals()),
        pending_(engine.pending.with_prefix(prefix)) {}

  void run() {
    while (next_page()) {
      for (store::StoredEntry& entry : page_) {
        if (!show_pending_before(entry.info.key) || !show_stored(entry)) return;
      }
    }
    (void)show_pending_before({});
  }

 private:
  bool next_page() {
    const auto store = engine_.store_to_read();
    if (!store) return false;
    auto page = store->page(prefix_, after_, kPage);
    if (!page.ok()) {
      engine_.store_failed(*store, page.failure());
      return false;
    }
    engine_.store_was_read();
    page_ = std::move(*page);
    ASHMEMO_TEST_POINT("walk: has a page");
    // Only an empty page is the last one. A page of large values may have fewer entries than kPage.
    if (!page_.empty()) after_ = page_.back().info.key;
    return !page_.empty();
  }

  /// Shows the pending puts that come before `key` (all of them, if it is empty).
  bool show_pending_before(std::string_view key) {
    for (; at_ < pending_.size() && (key.empty() || pending_[at_].first < key); ++at_) {
      const engine::Pending& pending = pending_[at_].second;
      if (pending.kind != engine::Pending::Kind::put) continue;
      if (!show(entry_of(pending_[at_].first, *pending.write))) return false;
    }
    return true;
  }

  bool show_stored(store::StoredEntry& entry) {
    if (entry.is_damaged) {
      engine_.row_is_damaged(entry.rowid);
      return true;
    }
    const bool overlaid = at_ < pending_.size() && pending_[at_].first == entry.info.key;
    if (overlaid) return true;  // shown before the next key
    const engine::Pending pending = engine_.pending.find(entry.info.key);
    if (pending.kind == engine::Pending::Kind::removed) return true;
    // A removal that was queued when the walk began may have been committed after this page was
    // read.
    if (removed_.cover(entry.info.key, 0)) return true;
    return show(std::move(entry));
  }

  bool show(store::StoredEntry entry) {
    entry.info.freshness = engine::freshness_of(entry.deadlines, engine_.clock->wall_now());
    if (entry.info.freshness == Freshness::gone) return true;
    if (!engine_.catalog.is_current(entry.info.calculation_id.value_or(0))) return true;
    return visit_(entry.info, entry.value) && !engine_.process.is_forked_child();
  }

  engine::Engine& engine_;
  const EntryVisitor& visit_;
  const std::string prefix_;
  const engine::RangeRemovals removed_;  // from before pending_ was copied
  const std::vector<std::pair<std::string, engine::Pending>> pending_;
  std::size_t at_ = 0;  // in pending_
  std::vector<store::StoredEntry> page_;
  std::string after_;
};

std::optional<store::StoredEntry> find(engine::Engine& engine, std::string_view key) {
  const engine::Pending pending = engine.pending.find(key);
  if (pending.kind == engine::Pending::Kind::removed) return std::nullopt;
  if (pending.kind == engine::Pending::Kind::put) return entry_of(key, *pending.write);
  const auto store = engine.store_to_read();
  if (!store) return std::nullopt;
  auto entry = store->entry(key);
  if (!entry.ok()) {
    engine.store_failed(*store, entry.failure());
    return std::nullopt;
  }
  engine.store_was_read();
  if (!entry->has_value() || !(*entry)->is_damaged) return std::move(*entry);
  engine.row_is_damaged((*entry)->rowid);
  return std::nullopt;
}

StoredCalculation stored_calculation(store::CalculationRow row) {
  StoredCalculation calculation;
  calculation.id = row.id;
  calculation.resource = std::move(row.resource);
  calculation.name = std::move(row.name);
  calculation.version = row.version;
  calculation.result_type = std::move(row.result_type);
  calculation.policy = std::move(row.policy);
  calculation.stats = stats_of(row);
  return calculation;
}

}  // namespace

std::optional<EntryInfo> find_entry(engine::Engine& engine, std::string_view key) {
  if (engine.is_out_of_use()) return std::nullopt;
  std::optional<store::StoredEntry> entry = find(engine, key);
  if (!entry) return std::nullopt;
  entry->info.freshness = engine::freshness_of(entry->deadlines, engine.clock->wall_now());
  const bool current = engine.catalog.is_current(entry->info.calculation_id.value_or(0));
  if (!current || entry->info.freshness == Freshness::gone) return std::nullopt;
  return std::move(entry->info);
}

void visit_entries(engine::Engine& engine, std::string_view prefix, const EntryVisitor& visit) {
  if (!engine.is_out_of_use()) Walk(engine, prefix, visit).run();
}

std::vector<StoredCalculation> stored_calculations(engine::Engine& engine) {
  std::vector<StoredCalculation> all;
  if (engine.is_out_of_use()) return all;
  const auto store = engine.store_to_read();
  if (!store) return all;
  auto rows = store->calculations();
  if (!rows.ok()) {
    engine.store_failed(*store, rows.failure());
    return all;
  }
  engine.store_was_read();
  for (store::CalculationRow& row : *rows) {
    if (!row.retired) all.push_back(stored_calculation(std::move(row)));
  }
  return all;
}

}  // namespace ashmemo::detail
