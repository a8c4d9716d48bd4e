#include "maintenance/transaction.hpp"

#include <utility>

namespace ashmemo::maintenance {

void Changes::remove(std::string key, RemovalCause cause, bool wants_key) {
  switch (cause) {
    case RemovalCause::erased: ++erased; break;
    case RemovalCause::replaced: ++replaced; break;
    case RemovalCause::expired: ++expired; break;
    case RemovalCause::evicted: ++evicted; break;
  }
  if (wants_key) removed.push_back({std::move(key), cause});
}

base::Status Transactions::run(store::Store& store, const Body& body) {
  Changes changes;
  base::Status done = attempt(*store.writer(), body, changes);
  if (done.ok()) {
    committed(*store.writer(), changes);
  } else {
    failed(done.failure());
  }
  return done;
}

base::Status Transactions::attempt(store::Writer& writer, const Body& body, Changes& changes) {
  const auto begun = writer.begin();
  if (!begun.ok()) return begun.failure();
  base::Status done = body(writer, changes);
  if (!done.ok()) {
    writer.rollback();
    return done;
  }
  return writer.commit(engine_.options.durability == Durability::power);
}

void Transactions::committed(store::Writer& writer, Changes& changes) {
  engine::Counters& counters = engine_.counters;
  counters.commits.add();
  counters.erased.add(changes.erased);
  counters.replaced.add(changes.replaced);
  counters.expired.add(changes.expired);
  counters.evicted.add(changes.evicted);
  counters.bytes_written.add(changes.bytes_written);
  counters.touches_written.add(changes.touches_written);
  counters.touches_dropped.add(changes.touches_dropped);
  engine_.entries = writer.totals().entries;
  engine_.bytes = writer.totals().bytes;
  if (!changes.removed.empty()) events_.add(std::move(changes.removed));
  engine_.pending.set_refusing(false);
  engine_.set_health(HealthState::ok);
  for (const NoticeKind trouble : {NoticeKind::busy, NoticeKind::write_failed}) {
    engine_.notices.tell_end(trouble, NoticeKind::recovered, engine_.path + ": writing works again",
                             engine_.path);
  }
}

void Transactions::failed(const base::Failure& failure) {
  using base::FailureKind;
  if (failure.kind == FailureKind::too_large) return;  // one value's fault, not the store's
  engine_.pending.set_refusing(true);
  engine_.set_health(HealthState::degraded);
  if (failure.kind == FailureKind::corrupt) engine_.reopen_wanted = true;
  const bool busy = failure.kind == FailureKind::busy;
  engine_.notices.tell(
      busy ? NoticeKind::busy : NoticeKind::write_failed,
      engine_.path + (busy ? ": another program holds the write lock; writes wait in memory: "
                           : ": writing failed and is tried again; reads go on: ") +
          failure.what,
      engine_.path);
}

}  // namespace ashmemo::maintenance
