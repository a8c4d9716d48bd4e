#include <sqlite3.h>

#include <algorithm>

#include "store/checksum.hpp"
#include "store/row_columns.hpp"
#include "store/writer.hpp"

// Changes of single entries.

namespace ashmemo::store {
namespace {

// A counter stays below the end of the numbers by this, so that adding to it never overflows.
constexpr std::int64_t kMaxCount = std::int64_t{1} << 61;

// Rows of another program may stand where ours would go on.
constexpr int kMaxTries = 3;

std::int64_t random_rowid() {
  std::uint64_t random = 0;
  sqlite3_randomness(sizeof(random), &random);
  return static_cast<std::int64_t>(random >> 2) + 1;
}

std::int64_t bounded(std::int64_t count) {
  return std::clamp<std::int64_t>(count, -kMaxCount, kMaxCount);
}

}  // namespace

RemovedRow removed_row(const Statement& row, std::string_view key) {
  return {std::string(key), row.integer(1), row.integer(2), deadlines_at(row, 3), row.integer(8)};
}

base::Result<std::optional<RemovedRow>> SqliteWriter::put(const PutRow& row) {
  return change("storing an entry", [&] {
    std::optional<RemovedRow> before;
    // New rows come in runs, and so do new values of old ones: what the last one was saves a look.
    if (!last_was_new_ || !insert(row)) {
      before = replace(row);
      if (!before) static_cast<void>(insert(row));
    }
    last_was_new_ = !before;
    return before;
  });
}

// False: the key has a row, which stays as it is.
bool SqliteWriter::insert(const PutRow& row) {
  StatementUse write = use(&WriterSql::insert);
  bind_row(*write, row, next_rowid_, row.touches);
  write->bind(14, row.eviction_queue);
  write->bind_text(16, row.key);
  int rc = write->try_step();
  for (int tries = 0; rc == SQLITE_CONSTRAINT_ROWID && tries < kMaxTries; ++tries) {
    next_rowid_ = random_rowid();
    write->reset();
    write->bind(1, next_rowid_);
    rc = write->try_step();
  }
  if (rc != SQLITE_DONE) write->fail(rc);
  if (sqlite3_changes(handle()) == 0) return false;
  ++next_rowid_;
  stored(row, row.eviction_queue);
  return true;
}

// What was there before; nullopt: nothing, and nothing was done.
std::optional<RemovedRow> SqliteWriter::replace(const PutRow& row) {
  std::int64_t rowid = 0;
  std::int64_t reads = row.touches;
  std::optional<RemovedRow> before = find(row.key, &rowid, &reads);
  if (!before) return before;
  StatementUse write = use(&WriterSql::update);
  bind_row(*write, row, rowid, reads);
  write->run();
  count_removed(before->byte_size, before->eviction_queue);
  stored(row, before->eviction_queue);
  return before;
}

void SqliteWriter::stored(const PutRow& row, std::int64_t queue) {
  count_added(row.byte_size, queue);
  last_stamp_ = std::max(last_stamp_, row.stamp);
}

// The row of a key, its rowid, and its reads added to `*reads`: they are kept when it is replaced.
std::optional<RemovedRow> SqliteWriter::find(std::string_view key, std::int64_t* rowid,
                                             std::int64_t* reads) {
  StatementUse found = use(&WriterSql::find);
  found->bind_text(1, key);
  if (!found->step()) return std::nullopt;
  require_key(*found, 9, key);
  *rowid = found->integer(0);
  *reads = bounded(found->integer(7)) + bounded(*reads);
  return removed_row(*found, key);
}

void SqliteWriter::bind_row(Statement& write, const PutRow& row, std::int64_t rowid,
                            std::int64_t reads) {
  write.bind(1, rowid);
  write.bind(2, row.byte_size);
  write.bind(3, row.stamp);
  bind_deadlines(write, 4, row.deadlines);
  write.bind(8, row.stamp);
  write.bind(9, reads);
  bind_unless_zero(write, 10, row.calculation_id);
  write.bind_value(11, row.record_version);
  bind_unless_zero(write, 12, row.cost_us);
  write.bind(13, row.eviction_counter);
  write.bind_value(15, row.value);
  write.bind(
      17, checksum_of(row.key, row.value, row.deadlines, row.calculation_id, row.record_version));
}

base::Result<std::optional<RemovedRow>> SqliteWriter::erase(std::string_view key) {
  return change("removing an entry", [&] {
    std::int64_t rowid = 0;
    std::int64_t reads = 0;
    std::optional<RemovedRow> before = find(key, &rowid, &reads);
    if (before) remove(rowid, before->byte_size, before->eviction_queue);
    return before;
  });
}

base::Result<std::optional<RemovedRow>> SqliteWriter::erase_damaged(std::int64_t rowid) {
  return change("looking at a damaged entry again", [&] {
    std::optional<RemovedRow> row = find_damaged(rowid);
    if (row) remove(rowid, row->byte_size, row->eviction_queue);
    return row;
  });
}

// Nothing: there is no such row, it matches its checksum, or its value is larger than this
// connection may read.
std::optional<RemovedRow> SqliteWriter::find_damaged(std::int64_t rowid) {
  StatementUse row = use(&WriterSql::suspect);
  row->bind(1, rowid);
  const int rc = row->try_step();
  if (rc == SQLITE_DONE || failure_kind(rc) == base::FailureKind::too_large) return std::nullopt;
  if (rc != SQLITE_ROW) row->fail(rc);
  RemovedRow found = removed_row(*row, row->text(7));
  const std::int64_t computed =
      checksum_of(found.key, row->value(10), found.deadlines, found.calculation_id, row->value(9));
  if (matches(row->value(11), computed)) return std::nullopt;
  return found;
}

void SqliteWriter::remove(std::int64_t rowid, std::int64_t byte_size, std::int64_t queue) {
  StatementUse statement = use(&WriterSql::remove);
  statement->bind(1, rowid);
  statement->run();
  count_removed(byte_size, queue);
}

base::Status SqliteWriter::erase_row(const Candidate& row) {
  return change("evicting an entry", [&] {
    StatementUse statement = use(&WriterSql::remove_candidate);
    statement->bind(1, row.rowid);
    statement->bind_value(2, ValueView::blob(row.key));
    statement->bind(3, row.inserted_at);
    statement->bind(4, row.byte_size);
    statement->run();
    if (sqlite3_changes(handle()) > 0) count_removed(row.byte_size, row.eviction_queue);
  });
}

base::Result<std::optional<std::int64_t>> SqliteWriter::touch(const TouchRow& touch) {
  return change("writing touches", [&]() -> std::optional<std::int64_t> {
    const std::optional<Place> row = place_of(touch.rowid);
    if (!row) return std::nullopt;
    StatementUse statement = use(&WriterSql::touch);
    statement->bind(1, touch.rowid);
    statement->bind(2, touch.accessed_at);
    statement->bind(3, bounded(touch.count));
    statement->bind(4, kMaxCount);
    statement->bind(5, kMaxEvictionCounter);
    if (!rewrite(*statement)) return std::nullopt;
    last_stamp_ = std::max(last_stamp_, touch.accessed_at);
    return std::max<std::int64_t>(row->byte_size, 0);
  });
}

base::Status SqliteWriter::reinsert(std::int64_t rowid, const Placement& to) {
  return change("keeping an entry", [&] {
    const std::optional<Place> from = place_of(rowid);
    if (!from) return;
    StatementUse statement = use(&WriterSql::reinsert);
    statement->bind(1, rowid);
    statement->bind(2, to.accessed_at);
    statement->bind(3, bounded(to.touches));
    statement->bind(4, kMaxCount);
    statement->bind(5, to.inserted_at);
    statement->bind(6, to.eviction_counter);
    statement->bind(7, to.eviction_queue);
    // A row that cannot be read cannot be kept either: it would stay the oldest for ever.
    if (!rewrite(*statement)) return remove(rowid, from->byte_size, from->queue);
    count_removed(from->byte_size, from->queue);
    count_added(from->byte_size, to.eviction_queue);
    last_stamp_ = std::max(last_stamp_, to.inserted_at);
  });
}

// Changes small columns of a row, for which SQLite reads the whole of it. False: there is no such
// row, or its value is larger than this connection may read (another program's, or of a larger
// limit).
bool SqliteWriter::rewrite(Statement& update) {
  const int rc = update.try_step();
  if (failure_kind(rc) == base::FailureKind::too_large) return false;
  if (rc != SQLITE_DONE) update.fail(rc);
  return sqlite3_changes(handle()) > 0;
}

std::optional<SqliteWriter::Place> SqliteWriter::place_of(std::int64_t rowid) {
  StatementUse row = use(&WriterSql::place_of);
  row->bind(1, rowid);
  if (!row->step()) return std::nullopt;
  return Place{row->integer(0), row->integer(1)};
}

}  // namespace ashmemo::store
