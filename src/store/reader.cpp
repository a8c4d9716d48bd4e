#include "store/reader.hpp"

#include <utility>

#include "store/checksum.hpp"
#include "store/row_columns.hpp"
#include "store/sqlite_error.hpp"

namespace ashmemo::store {
namespace {

RowView row_of(const Statement& found) noexcept {
  RowView row;
  row.rowid = found.integer(0);
  row.deadlines = deadlines_at(found, 1);
  row.calculation_id = found.integer(5);  // NULL reads as 0: put directly
  row.record_version = found.value(6);
  row.cost_us = cost_at(found, 7);
  row.value = found.value(8);
  return row;
}

void deliver(const Lookup& lookup, const RowView& row, ValueView checksum, RowSink& sink) {
  const std::int64_t computed =
      checksum_of(lookup.key, row.value, row.deadlines, row.calculation_id, row.record_version);
  if (matches(checksum, computed)) return sink.row(lookup.index, row);
  sink.damaged(lookup.index, row.rowid);
}

// A value over this connection's limit (stored under a larger one, or by another program) is as
// good as none.
bool is_missing(int rc) noexcept {
  return rc == SQLITE_DONE || failure_kind(rc) == base::FailureKind::too_large;
}

}  // namespace

base::Result<std::unique_ptr<Reader>> Reader::open(const std::string& path,
                                                   const ConnectionOptions& options,
                                                   SnapshotRule rule) {
  auto connection = Connection::open(path, options);
  if (!connection) return connection.failure();
  return guarded("opening a reader", [&] {
    return std::unique_ptr<Reader>(new Reader(std::move(connection.value()), std::move(rule)));
  });
}

Reader::Reader(std::unique_ptr<Connection> connection, SnapshotRule rule)
    : connection_(std::move(connection)), rule_(std::move(rule)) {
  end_.on(database());  // now: letting go must not fail
}

base::Status Reader::read(std::span<const Lookup> keys, RowSink& sink) {
  return guarded("reading entries", [&] {
    use_snapshot();
    StatementUse find(find_, database());
    for (const Lookup& lookup : keys) {
      find->bind_text(1, lookup.key);
      const int rc = find->try_step();
      if (rc == SQLITE_ROW) {
        require_key(*find, 9, lookup.key);
        deliver(lookup, row_of(*find), find->value(10), sink);
      } else if (!is_missing(rc)) {
        find->fail(rc);
      }
      find->reset();
    }
  });
}

// The counter is loaded before the first SELECT, which fixes the snapshot: the snapshot may hold
// more commits than were counted, never fewer.
void Reader::use_snapshot() {
  const std::uint64_t commits = rule_.commits->load();
  const std::int64_t now = rule_.clock->steady_now();
  if (holds_ && seen_commits_ == commits && now - began_at_ < kMaxAge) return;
  let_go();
  StatementUse(begin_, database())->run();
  holds_ = true;
  seen_commits_ = commits;
  began_at_ = now;
}

void Reader::let_go() noexcept {
  if (!holds_) return;
  holds_ = false;
  // Where this fails, the next BEGIN fails too, and the reader is thrown away.
  static_cast<void>(end_.try_step());
  end_.reset();
}

void Reader::finish() noexcept {
  if (!rule_.keep || seen_commits_ != rule_.commits->load(std::memory_order_relaxed)) let_go();
}

std::int64_t Reader::snapshot_age() const noexcept { return rule_.clock->steady_now() - began_at_; }

}  // namespace ashmemo::store
