#include "maintenance/committer.hpp"

// Commands about more than one key, each in as many bounded transactions as it needs. Between two
// of them the worker does its other work, so that the write-ahead log stays small.

namespace ashmemo::maintenance {

using base::Status;
using engine::Range;

Status Committer::commit_range(store::Store& store, Range& range, bool* finished) {
  std::int64_t removed = 0;
  Status done = run_with_calculations(store, [&](store::Writer& writer, Changes& changes) {
    Status step = step_range(writer, range, changes, finished);
    removed = changes.erased;
    return step;
  });
  if (done.ok()) range.removed += removed;
  return done;
}

Status Committer::step_range(store::Writer& writer, Range& range, Changes& changes,
                             bool* finished) {
  switch (range.kind) {
    case Range::Kind::erase_prefix:
      return erase_some(writer, range.prefix, changes, finished);
    case Range::Kind::erase_all:
      return erase_all(writer, changes, finished);
    case Range::Kind::put_calculations:
      return {};  // as every one of these transactions does
    case Range::Kind::recount: {
      auto off = writer.recount();
      if (!off.ok()) return off.failure();
      range.totals_off = *off;
      return {};
    }
  }
  return {};
}

Status Committer::erase_some(store::Writer& writer, std::string_view prefix, Changes& changes,
                             bool* finished) {
  auto removed = writer.erase_prefix(prefix, transactions_.portion().rows);
  if (!removed.ok()) return removed.failure();
  for (store::RemovedRow& row : *removed) {
    changes.remove(std::move(row.key), RemovalCause::erased, transactions_.wants_keys());
  }
  *finished = removed->empty();
  return {};
}

Status Committer::erase_all(store::Writer& writer, Changes& changes, bool* finished) {
  // Whoever listens wants the keys, and what is overwritten with zeroes goes through the log: then
  // row by row.
  if (transactions_.wants_keys() || engine_.options.erase_securely)
    return erase_some(writer, {}, changes, finished);
  auto removed = writer.erase_all();
  if (!removed.ok()) return removed.failure();
  changes.erased += *removed;
  return {};
}

}  // namespace ashmemo::maintenance
