#include "maintenance/sweeper.hpp"

#include <utility>

namespace ashmemo::maintenance {

using base::Status;

Status Sweeper::expire_some(store::Store& store, bool* more) {
  *more = false;
  return transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    auto removed = writer.erase_due(engine_.clock->wall_now(), kMostRows);
    if (!removed.ok()) return removed.failure();
    for (store::RemovedRow& row : *removed) {
      changes.remove(std::move(row.key), RemovalCause::expired, transactions_.wants_keys());
    }
    *more = !removed->empty();
    return {};
  });
}

bool Sweeper::has_retired() const { return !engine_.catalog.retired().empty(); }

Status Sweeper::remove_retired(store::Store& store) {
  if (at_row_ == 0) round_ = engine_.catalog.retired();
  std::optional<std::int64_t> at_row = at_row_;
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    auto removed = writer.erase_retired(&at_row, kMostRows);
    if (!removed.ok()) return removed.failure();
    for (store::RemovedRow& row : *removed) {
      changes.remove(std::move(row.key), RemovalCause::erased, transactions_.wants_keys());
    }
    return at_row ? Status{} : writer.forget_retired(round_);
  });
  if (!done.ok()) return done;
  if (!at_row) engine_.catalog.forget(round_);
  at_row_ = at_row ? at_row : 0;
  return done;
}

}  // namespace ashmemo::maintenance
