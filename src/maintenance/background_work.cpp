#include "maintenance/background_work.hpp"

#include <optional>
#include <string>
#include <utility>

#include "base/saturate.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// Clocks are corrected by seconds all the time. Entries that are nearer than this will answer soon.
constexpr std::int64_t kFarFuture = 60'000'000;

// Transactions for the same touches. Each one meets another row that the device cannot read. After
// the last one the round ends, because the device probably reads nothing.
constexpr int kMaxTries = 10;

}  // namespace

// ---- AccessWriter

Status AccessWriter::write_some(store::Store& store, bool* more) {
  const auto max_rows = static_cast<std::size_t>(transactions_.portion().rows);
  const std::vector<std::int64_t> rows = engine_.access_buffer.rows(written_up_to_, max_rows);
  std::size_t done = 0;
  Status written = write_touches(store, rows, &done);
  const bool is_unreadable = !written.ok() && store::is_unreadable(written.failure());
  *more = !is_unreadable && (rows.size() == max_rows || done < rows.size());
  if (done > 0) written_up_to_ = rows[done - 1];
  if (!*more) written_up_to_ = 0;
  if (!written.ok() && !is_unreadable) return written;
  return *more ? Status{} : write_counters(store);
}

/// A row that the device cannot read ends the transaction. Then the other touches are tried again
/// without it, a few times.
Status AccessWriter::write_touches(store::Store& store, const std::vector<std::int64_t>& rows,
                                   std::size_t* done) {
  if (rows.empty()) return {};
  std::vector<store::TouchRow> taken;
  Status all;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    std::size_t at = 0;
    all = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
      std::int64_t bytes = 0;
      for (; bytes < transactions_.portion().bytes; ++at) {
        if (at == taken.size() && !take_next(rows, done, &taken)) break;
        const store::TouchRow& touch = taken[at];
        const auto written = writer.touch(touch);
        if (!written.ok()) return written.failure();
        (*written ? changes.touches_written : changes.touches_dropped) +=
            *written ? 1 : touch.count;
        bytes = base::add_saturated(bytes, written->value_or(0));
      }
      return {};
    });
    if (all.ok()) return all;
    if (!store::is_unreadable(all.failure()) || at == taken.size()) break;
    engine_.counters.touches_lost.add(taken[at].count);
    taken.erase(taken.begin() + static_cast<std::ptrdiff_t>(at));
  }
  for (const store::TouchRow& touch : taken) engine_.counters.touches_lost.add(touch.count);
  return all;
}

/// Returns false if no touch remains. The evictor may have taken some.
bool AccessWriter::take_next(const std::vector<std::int64_t>& rows, std::size_t* done,
                             std::vector<store::TouchRow>* taken) {
  while (*done < rows.size()) {
    const auto touch = engine_.access_buffer.take(rows[(*done)++]);
    if (!touch) continue;
    taken->push_back(*touch);
    return true;
  }
  return false;
}

Status AccessWriter::write_counters(store::Store& store) {
  const std::vector<store::CalculationRow> counted = engine_.catalog.take_counters();
  if (counted.empty()) return {};
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes&) -> Status {
    for (const store::CalculationRow& row : counted) {
      if (Status added = writer.add_counters(row); !added.ok()) return added;
    }
    return {};
  });
  if (!done.ok()) engine_.catalog.give_back_counters(counted);
  return done;
}

// ---- Sweeper

Status Sweeper::expire_some(store::Store& store, bool* more) {
  const std::int64_t now = engine_.clock->wall_now();
  return expire(
      store, [now](store::Writer& writer, int limit) { return writer.delete_due(now, limit); },
      more);
}

Status Sweeper::expire_future(store::Store& store, bool* more) {
  const std::int64_t now = base::add_saturated(engine_.clock->wall_now(), kFarFuture);
  *more = false;
  if (!engine_.sequence_clock.is_beyond(now)) return {};  // no entry is from the future
  // After the clock was set back again, more of the checked entries are from the future.
  if (future_store_.lock().get() != &store || now < future_now_) future_stamp_ = 0;
  future_store_ = engine_.store.get();
  future_now_ = now;
  std::int64_t stamp = future_stamp_;
  Status done = expire(
      store,
      [&](store::Writer& writer, int limit) { return writer.delete_future(now, &stamp, limit); },
      more);
  if (done.ok()) future_stamp_ = stamp;
  return done;
}

Status Sweeper::expire(store::Store& store, const Delete& remove, bool* more) {
  *more = false;
  return transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    auto due = remove(writer, transactions_.portion().rows);
    if (!due.ok()) return due.failure();
    for (store::DeletedRow& row : due->rows) {
      changes.remove(std::move(row.key), RemovalCause::expired, transactions_.wants_own_keys());
    }
    *more = due->more;
    return {};
  });
}

Status Sweeper::delete_damaged(store::Store& store) {
  if (engine_.suspects.empty()) return {};
  std::string first;  // the key of the first deleted row
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    for (const std::int64_t rowid : engine_.suspects.take()) {
      auto row = writer.delete_damaged(rowid);
      if (!row.ok()) return row.failure();
      if (!*row) continue;
      if (first.empty()) first = (*row)->key;
      changes.remove(std::move((*row)->key), RemovalCause::damaged, transactions_.wants_own_keys());
    }
    return {};
  });
  if (done.ok() && !first.empty()) report_damaged(first);
  return done;
}

void Sweeper::report_damaged(const std::string& key) {
  engine_.notices.notify(NoticeKind::entry_damaged,
                         engine_.path + ": the entry '" + key +
                             "' did not match its checksum and was removed; check the disk",
                         key);
}

Status Sweeper::delete_retired(store::Store& store) {
  const bool begins = walked_store_.lock().get() != &store;
  std::optional<std::int64_t> at_row = begins ? 0 : at_row_;
  std::vector<store::CalculationRow> unwritten;
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    if (begins) {
      if (Status begun = begin_walk(writer, &unwritten); !begun.ok()) return begun;
    }
    auto deleted = writer.delete_retired(&at_row, transactions_.portion().rows);
    if (!deleted.ok()) return deleted.failure();
    for (store::DeletedRow& row : *deleted) {
      changes.remove(std::move(row.key), RemovalCause::erased, transactions_.wants_keys());
    }
    return at_row ? Status{} : writer.delete_calculations(walked_ids_);
  });
  if (!done.ok()) {
    engine_.catalog.give_back_unwritten(unwritten);
    return done;
  }
  if (!at_row) engine_.catalog.drop_retired(walked_ids_);
  walked_store_ = at_row ? engine_.store.get() : nullptr;
  at_row_ = at_row.value_or(0);
  return done;
}

// Writes the calculations that are not yet written, because the command that retires them may still
// be queued. Otherwise the walk would skip their entries and then forget the calculations.
Status Sweeper::begin_walk(store::Writer& writer, std::vector<store::CalculationRow>* unwritten) {
  walked_ids_.clear();
  for (const store::CalculationRow& row : engine_.catalog.retired()) walked_ids_.push_back(row.id);
  *unwritten = engine_.catalog.take_unwritten();
  for (const store::CalculationRow& row : *unwritten) {
    if (Status put = writer.put_calculation(row); !put.ok()) return put;
  }
  return {};
}

}  // namespace ashmemo::maintenance
