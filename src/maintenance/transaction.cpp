#include "maintenance/transaction.hpp"

#include <deque>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "base/test_point.hpp"

namespace ashmemo::maintenance {

void Changes::remove(std::string key, RemovalCause cause, bool wants_key) {
  switch (cause) {
    case RemovalCause::erased:
      ++erased;
      break;
    case RemovalCause::replaced:
      ++replaced;
      break;
    case RemovalCause::expired:
      ++expired;
      break;
    case RemovalCause::evicted:
      ++evicted;
      break;
    case RemovalCause::damaged:  // counted by the reads that found it
      break;
  }
  if (wants_key) removed.push_back({std::move(key), cause});
}

base::Status Transactions::run(store::Store& store, const Body& body) {
  Changes changes;
  has_lost_commit_ = false;
  base::Status done = attempt(store, body, changes);
  if (done.ok()) {
    committed(*store.writer(), changes);
  } else {
    failed(store, done.failure());
  }
  return done;
}

base::Status Transactions::look(store::Store& store) {
  const auto seen = store.writer()->look();
  if (!seen.ok()) {
    failed(store, seen.failure());
    return seen.failure();
  }
  ASHMEMO_TEST_POINT("commit: looked");
  if (seen->foreign_change) forget_memory();
  publish(store.writer()->totals());
  return {};
}

// Called after the store has raised its commit counter. So every reader takes a new snapshot, which
// contains the foreign change, before it fills the memory tier again.
void Transactions::forget_memory() { const memory::TierChange all(engine_.tier.get()); }

void Transactions::publish(const store::Totals& totals) {
  engine_.entries = totals.entries;
  engine_.bytes = totals.bytes;
}

base::Status Transactions::attempt(store::Store& store, const Body& body, Changes& changes) {
  store::Writer& writer = *store.writer();
  const auto begun = writer.begin();
  if (!begun.ok()) return begun.failure();
  if (begun->foreign_change) forget_memory();
  base::Status done = in_transaction(store, body, changes);
  if (!done.ok()) writer.rollback();
  return done;
}

base::Status Transactions::in_transaction(store::Store& store, const Body& body, Changes& changes) {
  store::Writer& writer = *store.writer();
  try {
    if (base::Status done = body(writer, changes); !done.ok()) return done;
    // Removed entries must not be in the memory tier when the commit becomes visible.
    std::deque<memory::TierChange> tier_changes;
    for (const RemovedEntry& entry : changes.removed) {
      tier_changes.emplace_back(engine_.tier.get(), entry.key);
    }
    ASHMEMO_TEST_POINT("commit: begins");
    base::Status done = writer.commit(engine_.options.durability == Durability::power);
    ASHMEMO_TEST_POINT("commit: done");
    if (!done.ok() || store.is_log_in_place()) return done;
    lost_commit(changes);
    return base::Failure{base::FailureKind::unavailable, 0,
                         "another program has deleted or replaced the write-ahead log"};
  } catch (const std::bad_alloc&) {
    engine_.counters.worker_errors.add();
    return store::out_of_memory("writing");
  } catch (const std::exception& error) {
    return unexpected(error.what());
  } catch (...) {
    return unexpected("an exception that is not a std::exception");
  }
}

base::Failure Transactions::unexpected(std::string_view what) {
  engine_.counters.worker_errors.add();
  return {base::FailureKind::other, 0, "unexpected error: " + std::string(what)};
}

/// Counts and reports the rows that are gone. They are not found when the work is repeated, because
/// closing the file moves the deleted log into it, unless another program has the file open.
void Transactions::lost_commit(Changes& changes) {
  has_lost_commit_ = true;
  std::erase_if(changes.removed, [](const RemovedEntry& entry) {
    return entry.cause == RemovalCause::replaced;  // by a value that is written again
  });
  count_gone(changes);
}

void Transactions::count_gone(Changes& changes) {
  engine_.counters.erased.add(changes.erased);
  engine_.counters.expired.add(changes.expired);
  engine_.counters.evicted.add(changes.evicted);
  if (events_.wants_removals() && !changes.removed.empty()) events_.add(std::move(changes.removed));
}

void Transactions::committed(store::Writer& writer, Changes& changes) {
  engine::Counters& counters = engine_.counters;
  counters.commits.add();
  count_gone(changes);
  counters.replaced.add(changes.replaced);
  counters.refused.add(changes.refused);
  counters.dropped.add(changes.dropped);
  counters.bytes_written.add(changes.bytes_written);
  counters.touches_written.add(changes.touches_written);
  counters.touches_lost.add(changes.touches_dropped);
  publish(writer.totals());
  if (disk_full_.is_freeing_space()) return;
  engine_.pending.set_refusing(false);
  if (deleting_fails_) return;
  engine_.set_health(HealthState::ok);
  for (const NoticeKind trouble : {NoticeKind::busy, NoticeKind::write_failed}) {
    engine_.notices.notify_end(trouble, NoticeKind::recovered,
                               engine_.path + ": writing works again", engine_.path);
  }
}

namespace {

std::string_view describe(base::FailureKind kind) {
  switch (kind) {
    case base::FailureKind::busy:
      return ": another program holds the write lock; writes wait in memory: ";
    case base::FailureKind::full:
      return ": the disk, a quota or a file size limit is full: make room; reads go on: ";
    default:
      return ": writing failed and is tried again; reads go on: ";
  }
}

}  // namespace

void Transactions::failed(const store::Store& store, const base::Failure& failure) {
  using base::FailureKind;
  if (!store.is_log_in_place()) return;
  engine_.pending.set_refusing(true);
  if (failure.kind == FailureKind::too_large) return;  // the store itself works
  engine_.set_health(HealthState::degraded);
  if (failure.kind == FailureKind::corrupt) {
    engine_.store.mark_corrupt(store, failure.what, engine::Damage::suspected);
  }
  const bool busy = failure.kind == FailureKind::busy;
  engine_.notices.notify(busy ? NoticeKind::busy : NoticeKind::write_failed,
                         engine_.path + std::string(describe(failure.kind)) + failure.what,
                         engine_.path);
}

}  // namespace ashmemo::maintenance
