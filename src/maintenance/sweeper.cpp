#include "maintenance/sweeper.hpp"

#include <optional>
#include <utility>

namespace ashmemo::maintenance {

using base::Status;

Status Sweeper::expire_some(store::Store& store, bool* more) {
  *more = false;
  return transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    auto due = writer.erase_due(engine_.clock->wall_now(), transactions_.portion().rows);
    if (!due.ok()) return due.failure();
    for (store::RemovedRow& row : due->rows) {
      changes.remove(std::move(row.key), RemovalCause::expired, transactions_.wants_own_keys());
    }
    *more = due->more;
    return {};
  });
}

Status Sweeper::remove_damaged(store::Store& store) {
  if (engine_.suspects.empty()) return {};
  std::string first;  // key of those that were removed
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    for (const std::int64_t rowid : engine_.suspects.take()) {
      auto row = writer.erase_damaged(rowid);
      if (!row.ok()) return row.failure();
      if (!*row) continue;
      if (first.empty()) first = (*row)->key;
      changes.remove(std::move((*row)->key), RemovalCause::damaged, transactions_.wants_own_keys());
    }
    return {};
  });
  if (done.ok() && !first.empty()) tell_damaged(first);
  return done;
}

void Sweeper::tell_damaged(const std::string& key) {
  engine_.notices.notify(NoticeKind::entry_damaged,
                         engine_.path + ": the entry '" + key +
                             "' did not match its checksum and was removed; check the disk",
                         key);
}

Status Sweeper::remove_retired(store::Store& store) {
  const bool begins = walking_in_.lock().get() != &store;
  std::optional<std::int64_t> at_row = begins ? 0 : at_row_;
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    if (begins) {
      if (Status begun = begin_walk(writer); !begun.ok()) return begun;
    }
    auto removed = writer.erase_retired(&at_row, transactions_.portion().rows);
    if (!removed.ok()) return removed.failure();
    for (store::RemovedRow& row : *removed) {
      changes.remove(std::move(row.key), RemovalCause::erased, transactions_.wants_keys());
    }
    return at_row ? Status{} : writer.forget_retired(round_);
  });
  if (!done.ok()) return done;
  if (!at_row) engine_.catalog.drop_retired(round_);
  walking_in_ = at_row ? engine_.store.get() : nullptr;
  at_row_ = at_row.value_or(0);
  return done;
}

// The command that retires them may still be waiting in the queue: then the file must be told here,
// or the walk would pass over their entries and forget them.
Status Sweeper::begin_walk(store::Writer& writer) {
  round_.clear();
  for (const store::CalculationRow& row : engine_.catalog.retired()) {
    round_.push_back(row.id);
    if (Status put = writer.put_calculation(row); !put.ok()) return put;
  }
  return {};
}

}  // namespace ashmemo::maintenance
