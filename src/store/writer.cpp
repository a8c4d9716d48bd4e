#include "store/writer.hpp"

#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "base/platform.hpp"
#include "store/checksum.hpp"
#include "store/file_growth.hpp"
#include "store/file_id.hpp"
#include "store/header.hpp"
#include "store/key_range.hpp"
#include "store/row_columns.hpp"
#include "store/schema.hpp"

namespace ashmemo::store {

namespace {

// New rowids count up from the largest rowid below this. A foreign row with a larger rowid is
// ignored, because the rowids after it are not remembered.
constexpr std::int64_t kMaxRowid = RowidHints::kMaxRowid;

// Reads the columns, beginning with the rowid, that each SELECT for deletion has.
DeletedRow deleted_row(const Statement& row, std::string_view key) {
  return {row.integer(0), std::string(key),     row.integer(1),
          row.integer(2), deadlines_at(row, 3), row.integer(8)};
}

}  // namespace

SqliteWriter::SqliteWriter(std::unique_ptr<Connection> connection, std::string path,
                           ReaderPool& readers, std::atomic<std::uint64_t>& commits,
                           std::shared_ptr<RowidHints> hints)
    : path_(std::move(path)), readers_(readers), commits_(commits), hints_(std::move(hints)) {
  open_ = Open{std::move(connection), {}};
  watch_wal();
  // The schema was compared just now. If this fails, the first transaction compares it again.
  static_cast<void>(guarded(handle(), "looking at the file", [&] {
    schema_version_ = pragma(&WriterSql::schema_version);
    data_version_ = pragma(&WriterSql::data_version);
  }));
}

base::Failure SqliteWriter::damaged(std::string why) {
  return {base::FailureKind::corrupt, 0, std::move(why)};
}

base::Failure SqliteWriter::no_transaction(std::string_view doing) {
  return {base::FailureKind::other, 0, fmt::format("{}: there is no transaction", doing)};
}

base::Failure SqliteWriter::open_transaction(std::string_view doing) {
  return {base::FailureKind::other, 0, fmt::format("{}: not inside a transaction", doing)};
}

base::Failure SqliteWriter::closed() {
  return {base::FailureKind::unavailable, 0, "the store is closed"};
}

base::Status SqliteWriter::ready() {
  return open_ ? open_->connection->complete() : base::Status(closed());
}

base::Result<Writer::Begun> SqliteWriter::begin() {
  if (const auto done = ready(); !done) return done.failure();
  auto begun = guarded(handle(), "beginning a transaction", [&] {
    use(&WriterSql::begin)->run();
    in_transaction_ = true;
    changes_at_begin_ = sqlite3_total_changes64(handle());
    auto seen = look_around();
    if (!is_log_reserved_) lengthen_wal();
    return seen;
  });
  if (!begun) rollback();
  return begun;
}

base::Result<Writer::Begun> SqliteWriter::look() {
  if (const auto done = ready(); !done) return done.failure();
  if (in_transaction_) return open_transaction("looking at the file");
  auto seen = guarded(handle(), "looking at the file", [&] { return look_around(); });
  if (seen && !is_log_reserved_) reserve_wal();
  return seen;
}

// Notices changes of other programs since the last call. The version is read first, so a change
// that happens during this call, which holds no write lock, is noticed by the next one.
base::Result<Writer::Begun> SqliteWriter::look_around() {
  const std::int64_t data_version = pragma(&WriterSql::data_version);
  const bool foreign_change = data_version_ != data_version;
  if (foreign_change) {
    commits_.fetch_add(1);     // readers take a new snapshot
    is_log_named_ = false;     // the other program may have started the WAL over,
    is_log_reserved_ = false;  // and shortened it
    known_ = false;
    if (const auto same = check_schema(); !same) return same.failure();
  }
  if (!known_) {
    if (const auto loaded = load(); !loaded) return loaded.failure();
  }
  data_version_ = data_version;  // last: a change that was not reported is noticed again
  return Begun{foreign_change};
}

std::int64_t SqliteWriter::pragma(Statement WriterSql::*statement) {
  StatementUse select = use(statement);
  select->step();
  return select->integer(0);
}

base::Status SqliteWriter::check_schema() {
  const std::int64_t version = pragma(&WriterSql::schema_version);
  if (data_version_ && version == schema_version_) return {};
  const auto verdict = compare_schema(database());
  if (!verdict) return verdict.failure();
  if (verdict->state != SchemaVerdict::State::ours) return damaged(verdict->why);
  schema_version_ = version;
  return {};
}

base::Status SqliteWriter::load() {
  StatementUse totals = use(&WriterSql::read_totals);
  if (!totals->step()) return damaged("cache_totals has lost its row");
  totals_.loaded({totals->integer(0), totals->integer(1), totals->integer(2), totals->integer(3)});
  written_stamp_ = totals->integer(4);
  last_stamp_ = std::max(last_stamp_, written_stamp_);

  StatementUse rowid = use(&WriterSql::last_rowid);
  rowid->bind(1, kMaxRowid);
  rowid->step();
  next_rowid_ = std::max(next_rowid_, rowid->integer(0) + 1);
  known_ = true;
  return {};
}

base::Status SqliteWriter::commit(bool synced) {
  if (!in_transaction_) return no_transaction("committing");
  bool changed = false;
  bool is_named = false;
  auto committed = guarded(handle(), "committing", [&]() -> base::Status {
    if (auto written = write_totals(); !written) return written;
    if (auto grown = grow_file(); !grown) return grown;
    changed = sqlite3_total_changes64(handle()) != changes_at_begin_;
    is_named = changed && name_log();
    return run_commit();
  });
  if (!committed) {
    rollback();
    return committed;
  }
  in_transaction_ = false;
  totals_.committed();
  written_stamp_ = last_stamp_;
  if (!changed) return {};
  name_new_log(is_named);
  commits_.fetch_add(1);
  if (!synced || open_->connection->options().synced) return {};
  return sync_wal();
}

// A commit fails with the system's error of the WAL. Older versions of SQLite do not remember it
// for the connection.
base::Status SqliteWriter::run_commit() {
  StatementUse commit = use(&WriterSql::commit);
  const int rc = commit->try_step();
  if (rc == SQLITE_DONE) return {};
  sqlite3_file* const wal = file_of(SQLITE_FCNTL_JOURNAL_POINTER);
  if ((rc & 0xFF) == SQLITE_IOERR && wal != nullptr) return failure_of(rc, wal, "committing");
  commit->fail(rc);
}

base::Status SqliteWriter::write_totals() {
  if (totals_.must_be_counted()) count_all();
  if (!totals_.is_changed() && last_stamp_ == written_stamp_) return {};
  StatementUse write = use(&WriterSql::write_totals);
  write->bind(1, totals_.now().entries);
  write->bind(2, totals_.now().bytes);
  write->bind(3, totals_.now().probation_entries);
  write->bind(4, totals_.now().probation_bytes);
  write->bind(5, last_stamp_);
  write->run();
  if (sqlite3_changes(handle()) != 1) return damaged("cache_totals has lost its row");
  return {};
}

// Grows the file before the commit, so that the WAL can always be moved into it. Otherwise a full
// disk would prevent the WAL from starting over, and evicting needs space in the WAL.
base::Status SqliteWriter::grow_file() {
  const std::int64_t bytes = pragma(&WriterSql::all_pages) * kPageSize;
  if (bytes <= grown_to_) return {};
  sqlite3_file* const file = file_of(SQLITE_FCNTL_FILE_POINTER);
  if (const int rc = grow(file, bytes, growth_bytes()); rc != SQLITE_OK) {
    return failure_of(rc, file, "growing the file");
  }
  grown_to_ = bytes;
  return {};
}

// Null if there is no such file.
sqlite3_file* SqliteWriter::file_of(int which) noexcept {
  sqlite3_file* file = nullptr;
  if (sqlite3_file_control(handle(), "main", which, &file) != SQLITE_OK) return nullptr;
  return file == nullptr || file->pMethods == nullptr ? nullptr : file;
}

// Does for this commit what synchronous=FULL does for all. The pragma cannot be changed inside a
// transaction, and setting it twice around each such commit would cost more.
base::Status SqliteWriter::sync_wal() {
  sqlite3_file* const wal = file_of(SQLITE_FCNTL_JOURNAL_POINTER);
  if (wal == nullptr) return {};
  const int rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  return rc == SQLITE_OK ? base::Status{} : failure_of(rc, wal, "syncing the WAL");
}

void SqliteWriter::rollback() noexcept {
  if (!in_transaction_) return;
  in_transaction_ = false;
  is_log_named_ = false;
  known_ = false;
  totals_.rolled_back();
  // Makes the next commit write a page even without changes, to show whether writing works.
  last_stamp_ = base::add_saturated(last_stamp_, 1);
  // SQLite has already rolled back after some failures.
  if (sqlite3_get_autocommit(handle()) == 0) database().tryExec("ROLLBACK");
}

void SqliteWriter::close() noexcept {
  if (!open_) return;
  rollback();
  sqlite3_busy_timeout(handle(), 0);
  sqlite3_wal_checkpoint_v2(handle(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  open_.reset();
}

// ---- changes of single entries

namespace {

// The maximum of a counter, so that adding to it never overflows.
constexpr std::int64_t kMaxCount = std::int64_t{1} << 61;

// Attempts to find a free rowid: another program may have used the next ones.
constexpr int kMaxTries = 3;

// From 1 to 2^39, so that the next rowids, which count up from it, are remembered, too.
std::int64_t random_rowid() {
  std::uint64_t random = 0;
  sqlite3_randomness(sizeof(random), &random);
  return static_cast<std::int64_t>(random >> 25) + 1;
}

std::int64_t bounded(std::int64_t count) {
  return std::clamp<std::int64_t>(count, -kMaxCount, kMaxCount);
}

// The row that is replaced or removed. Adds its reads to `*reads`: they survive a new value.
DeletedRow old_row(const Statement& row, std::string_view key, std::int64_t* reads) {
  *reads = bounded(row.integer(7)) + bounded(*reads);
  return deleted_row(row, key);
}

}  // namespace

base::Result<std::optional<DeletedRow>> SqliteWriter::put(const PutRow& row) {
  return change("storing an entry", [&] {
    std::int64_t reads = row.touches;
    std::optional<DeletedRow> before = find_by_hint(row.key, &reads);
    // New rows come in runs, and so do new values of old rows. So the last row predicts this one,
    // which saves a lookup.
    if (!before && (!last_was_new_ || !insert(row))) {
      before = find_by_key(row.key, &reads);
      if (!before) static_cast<void>(insert(row));
    }
    if (before) replace(*before, row, reads);
    last_was_new_ = !before;
    return before;
  });
}

// Returns false if the key has a row, which is not changed.
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
  stored(row, next_rowid_, row.eviction_queue);
  ++next_rowid_;
  return true;
}

void SqliteWriter::replace(const DeletedRow& before, const PutRow& row, std::int64_t reads) {
  if (!keeps_place(before, row) || !replace_in_place(before.rowid, row, reads)) {
    StatementUse write = use(&WriterSql::update);
    bind_row(*write, row, before.rowid, reads);
    write->run();
  }
  totals_.remove(before.byte_size, before.eviction_queue);
  stored(row, before.rowid, before.eviction_queue);
}

// Returns false if the row has a place of a wrong type, which another program wrote.
bool SqliteWriter::replace_in_place(std::int64_t rowid, const PutRow& row, std::int64_t reads) {
  StatementUse write =
      use(row.overwrite->is_access ? &WriterSql::update_accessed : &WriterSql::update_in_place);
  bind_row(*write, row, rowid, reads);
  write->bind(13, row.overwrite->reads);
  write->bind(14, kMaxEvictionCounter);
  const int rc = write->try_step();
  if (rc != SQLITE_DONE && rc != SQLITE_CONSTRAINT_DATATYPE) write->fail(rc);
  return rc == SQLITE_DONE;
}

// The hint of a new row is wrong for readers until the commit, and for all after a rollback.
void SqliteWriter::stored(const PutRow& row, std::int64_t rowid, std::int64_t queue) {
  totals_.add(row.byte_size, queue);
  last_stamp_ = std::max(last_stamp_, row.stamp);
  hints_->fill(row.key, rowid);
  last_rowid_ = rowid;
}

// nullopt: there is no hint, or it is wrong. The row that is found stays the row of the key,
// because this transaction has the write lock.
std::optional<DeletedRow> SqliteWriter::find_by_hint(std::string_view key, std::int64_t* reads) {
  const auto rowid = hints_->find(key);
  if (!rowid) return std::nullopt;
  StatementUse row = use(&WriterSql::find_at);
  row->bind(1, *rowid);
  const int rc = row->try_step();
  if (rc == SQLITE_ROW && has_key(*row, 9, key)) {
    hints_->count_use(true);
    return old_row(*row, key, reads);
  }
  // A key of another program may be too large to be read.
  const bool is_wrong = rc == SQLITE_ROW || rc == SQLITE_DONE;
  hints_->forget(key, *rowid);  // also of a row that the device cannot read: it may be wrong
  if (!is_wrong && failure_kind(rc) != base::FailureKind::too_large) row->fail(rc);
  hints_->count_use(false);
  return std::nullopt;
}

std::optional<DeletedRow> SqliteWriter::find_by_key(std::string_view key, std::int64_t* reads) {
  StatementUse found = use(&WriterSql::find);
  found->bind_text(1, key);
  if (!found->step()) return std::nullopt;
  require_key(*found, 9, key);
  return old_row(*found, key, reads);
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
  write.bind(17, checksum_of(row.key, row));
}

base::Result<std::optional<DeletedRow>> SqliteWriter::delete_key(std::string_view key) {
  return change("removing an entry", [&] {
    std::int64_t reads = 0;
    std::optional<DeletedRow> before = find_by_hint(key, &reads);
    if (!before) before = find_by_key(key, &reads);
    if (before) remove(*before);
    return before;
  });
}

// In one transaction, because beginning to read takes about as long as one search.
base::Status SqliteWriter::find_rowids(std::span<RowidOf> keys) {
  if (!open_) return closed();
  if (in_transaction_) return open_transaction("looking keys up");
  return guarded(handle(), "looking keys up", [&] {
    const SQLite::Transaction transaction(database());
    StatementUse find = use(&WriterSql::rowid_of);
    for (RowidOf& each : keys) {
      find->bind_text(1, each.key);
      if (find->step()) each.rowid = find->integer(0);
      find->reset();
      hints_->fill(each.key, each.rowid);
    }
  });
}

base::Result<std::optional<DeletedRow>> SqliteWriter::delete_damaged(std::int64_t rowid) {
  return change("looking at a damaged entry again", [&] {
    std::optional<DeletedRow> row = find_damaged(rowid);
    if (row) remove(*row);
    return row;
  });
}

// nullopt: there is no such row, it matches its checksum, or its value is too large for this
// connection.
std::optional<DeletedRow> SqliteWriter::find_damaged(std::int64_t rowid) {
  StatementUse row = use(&WriterSql::suspect);
  row->bind(1, rowid);
  const int rc = row->try_step();
  if (rc == SQLITE_DONE || failure_kind(rc) == base::FailureKind::too_large) return std::nullopt;
  if (rc != SQLITE_ROW) row->fail(rc);
  const EntryView entry = entry_at(*row);
  if (matches(row->value(10), checksum_of(row->text(9), entry))) return std::nullopt;
  return DeletedRow{.rowid = rowid,
                    .key = std::string(row->text(9)),
                    .byte_size = row->integer(11),
                    .calculation_id = entry.calculation_id,
                    .deadlines = entry.deadlines,
                    .eviction_queue = row->integer(12)};
}

void SqliteWriter::remove(const DeletedRow& row) {
  StatementUse statement = use(&WriterSql::remove);
  statement->bind(1, row.rowid);
  statement->run();
  totals_.remove(row.byte_size, row.eviction_queue);
  hints_->forget(row.key, row.rowid);
}

base::Status SqliteWriter::delete_row(const Candidate& row) {
  return change("evicting an entry", [&] {
    StatementUse statement = use(&WriterSql::remove_candidate);
    statement->bind(1, row.rowid);
    statement->bind_value(2, ValueView::blob(row.key));
    statement->bind(3, row.inserted_at);
    statement->bind(4, row.byte_size);
    statement->run();
    if (sqlite3_changes(handle()) == 0) return;
    totals_.remove(row.byte_size, row.eviction_queue);
    hints_->forget(row.key, row.rowid);
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

base::Result<bool> SqliteWriter::reinsert(std::int64_t rowid, const Placement& to) {
  return change("keeping an entry", [&] {
    const std::optional<Place> from = place_of(rowid);
    if (!from) return true;
    StatementUse statement = use(&WriterSql::reinsert);
    statement->bind(1, rowid);
    statement->bind(2, to.accessed_at);
    statement->bind(3, bounded(to.touches));
    statement->bind(4, kMaxCount);
    statement->bind(5, to.inserted_at);
    statement->bind(6, to.eviction_counter);
    statement->bind(7, to.eviction_queue);
    if (!rewrite(*statement)) return false;
    totals_.remove(from->byte_size, from->queue);
    totals_.add(from->byte_size, to.eviction_queue);
    last_stamp_ = std::max(last_stamp_, to.inserted_at);
    return true;
  });
}

// Changes small columns of a row. SQLite reads the whole row for that. Returns false if there is no
// such row or its value is too large for this connection (written by another program or under a
// larger limit).
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

// ---- deletion of many entries, in bounded steps
//
// Rows are chosen first and then deleted by their rowids, because the caller needs their keys.
// DELETE ... RETURNING is not faster: it collects the rows in a temporary table.

namespace {

// The maximum sum of byte_size in one transaction, because each row may dirty several pages.
constexpr std::int64_t kMaxBytes = 4 * 1024 * 1024;

}  // namespace

/// The rows that one step deletes, within its bounds.
struct SqliteWriter::Taken {
  explicit Taken(int limit) : max_rows(static_cast<std::size_t>(std::max(limit, 0))) {}

  /// Returns false if the bounds allow no further row.
  bool add(const Statement& row) {
    const std::int64_t size = std::max<std::int64_t>(row.integer(1), 0);
    full = full || rows.size() >= max_rows || (!rows.empty() && size > kMaxBytes - bytes);
    if (full) return false;
    rows.push_back(deleted_row(row, row.text(7)));
    bytes += std::clamp<std::int64_t>(size, 0, kMaxBytes);
    return true;
  }

  std::size_t max_rows;
  Deleted rows;
  std::int64_t bytes = 0;
  bool full = false;
};

Writer::Deleted SqliteWriter::delete_rows(Taken&& taken) {
  for (const DeletedRow& row : taken.rows) remove(row);
  return std::move(taken.rows);
}

base::Result<Writer::Deleted> SqliteWriter::delete_prefix(std::string_view prefix, int max_rows) {
  return change_by_keys("removing entries by prefix", [&] {
    Taken taken(max_rows);
    {
      const KeyRange range = KeyRange::of_prefix(prefix);
      StatementUse select = use(&WriterSql::in_key_range);
      select->bind_text(1, range.first());
      select->bind_value(2, range.end());
      select->bind(3, max_rows);
      while (select->step()) {
        require_key(*select, 7, select->text(9));
        if (!taken.add(*select)) break;
      }
    }
    return delete_rows(std::move(taken));
  });
}

base::Result<Writer::Due> SqliteWriter::delete_due(std::int64_t now, int max_rows) {
  return change_by_keys("removing expired entries", [&] {
    Taken taken(max_rows);
    {
      StatementUse select = use(&WriterSql::due);
      select->bind(1, now);
      while (select->step() && taken.add(*select)) {
      }
    }
    const bool more = taken.full;
    return Due{delete_rows(std::move(taken)), more};
  });
}

base::Result<Writer::Due> SqliteWriter::delete_future(std::int64_t now, std::int64_t* stamp,
                                                      int limit) {
  return change_by_keys("removing entries from the future", [&] {
    Taken taken(limit);
    bool more = false;
    {
      StatementUse select = use(&WriterSql::placed_after);
      select->bind(1, std::max(now, *stamp));
      for (int looked_at = 0; select->step(); ++looked_at) {
        more = looked_at == limit || (select->integer(3) > now && !taken.add(*select));
        if (more) break;
        *stamp = select->integer(9);
      }
    }
    return Due{delete_rows(std::move(taken)), more};
  });
}

base::Result<Writer::Deleted> SqliteWriter::delete_retired(std::optional<std::int64_t>* rowid,
                                                           int max_rows) {
  return change_by_keys("removing entries of retired calculations", [&] {
    const std::vector<std::int64_t> retired = retired_calculations();
    Taken taken(max_rows);
    if (retired.empty() || !look_for(retired, rowid, &taken)) *rowid = std::nullopt;
    return delete_rows(std::move(taken));
  });
}

// Looks at as many rows as the step may delete. Returns false at the end of the table.
bool SqliteWriter::look_for(const std::vector<std::int64_t>& calculations,
                            std::optional<std::int64_t>* rowid, Taken* taken) {
  StatementUse select = use(&WriterSql::after_rowid);
  select->bind(1, rowid->value_or(std::numeric_limits<std::int64_t>::min()));
  for (std::size_t looked_at = 0; looked_at < taken->max_rows; ++looked_at) {
    if (!select->step()) return false;
    const std::int64_t calculation = select->integer(2);
    const bool wanted = std::binary_search(calculations.begin(), calculations.end(), calculation);
    if (wanted && !taken->add(*select)) break;
    *rowid = select->integer(0);
  }
  return true;
}

std::vector<std::int64_t> SqliteWriter::retired_calculations() {
  std::vector<std::int64_t> ids;
  StatementUse select = use(&WriterSql::retired);
  while (select->step()) ids.push_back(select->integer(0));
  return ids;  // sorted, because the primary key is
}

// DELETE without WHERE frees whole pages without reading the rows, because no trigger is enabled.
base::Result<std::int64_t> SqliteWriter::delete_everything() {
  return change("removing all entries", [&] {
    use(&WriterSql::delete_everything)->run();
    totals_.clear();
    return std::int64_t{sqlite3_changes64(handle())};
  });
}

base::Result<std::vector<Candidate>> SqliteWriter::oldest(std::int64_t queue, int max_rows) {
  return change_by_keys("looking for the oldest entries", [&] {
    const bool probation = queue == kProbationQueue;
    StatementUse select = use(probation ? &WriterSql::oldest_on_probation : &WriterSql::oldest);
    select->bind(1, max_rows);
    std::vector<Candidate> candidates;
    while (select->step()) {
      candidates.push_back({select->integer(0), std::string(select->text(1)), select->integer(2),
                            select->integer(3), select->integer(4), select->integer(5),
                            select->integer(6)});
    }
    return candidates;
  });
}

// ---- calculations and their counters

namespace {

void bind_counters(Statement& statement, int first, const CalculationRow& row) {
  for (const auto count : kCalculationCounts<std::int64_t>) {
    statement.bind(first++, bounded(row.*count));
  }
}

}  // namespace

base::Status SqliteWriter::put_calculation(const CalculationRow& row) {
  return change("storing a calculation", [&] {
    StatementUse put = use(&WriterSql::put_calculation);
    put->bind(1, row.id);
    put->bind_text(2, row.resource);
    put->bind_text(3, row.name);
    put->bind(4, row.version);
    put->bind_text(5, row.policy);
    put->bind(6, row.retired ? 1 : 0);
    bind_counters(*put, 7, row);
    row.result_type.empty() ? put->bind_null(13) : put->bind_text(13, row.result_type);
    put->run();
  });
}

base::Status SqliteWriter::add_counters(const CalculationRow& deltas) {
  return change("counting", [&] {
    StatementUse add = use(&WriterSql::add_counters);
    add->bind(1, deltas.id);
    bind_counters(*add, 2, deltas);
    add->bind(8, kMaxCount);
    add->run();
  });
}

base::Status SqliteWriter::delete_calculations(std::span<const std::int64_t> ids) {
  return change("forgetting retired calculations", [&] {
    StatementUse forget = use(&WriterSql::delete_calculations);
    for (const std::int64_t id : ids) {
      forget->bind(1, id);
      forget->run();
      forget->reset();
    }
  });
}

// ---- checkpoint, vacuum and recount

namespace {

// The file grows in steps of this size, and is shortened when it can give back as much, so that
// both are rare.
constexpr int kGrowthBytes = 64 * 1024;

// How long the writer waits for reads of an old snapshot. The longest such read, of 10,000 keys,
// takes about half of this.
constexpr std::chrono::milliseconds kReadersWait{100};

constexpr std::int64_t kFrameBytes = kPageSize + 24;  // a page and its header

// Lowers the size to which SQLite truncates the WAL, in this scope.
class LowerSizeLimit {
 public:
  explicit LowerSizeLimit(SQLite::Database& database) : database_(database) {
    set("PRAGMA journal_size_limit=1048576");
  }
  ~LowerSizeLimit() { set("PRAGMA journal_size_limit=4194304"); }
  LowerSizeLimit(const LowerSizeLimit&) = delete;
  LowerSizeLimit& operator=(const LowerSizeLimit&) = delete;

 private:
  static_assert(kWalLeastBytes == 1'048'576 && kWalKeptBytes == 4'194'304);

  // It fails only without memory; then the WAL is longer or shorter than it could be. The text is
  // not built here, because a destructor must not throw.
  void set(const char* pragma) { static_cast<void>(database_.tryExec(pragma)); }

  SQLite::Database& database_;
};

int remember_frames(void* frames, sqlite3*, const char*, int count) {
  *static_cast<std::int64_t*>(frames) = count;
  return SQLITE_OK;
}

}  // namespace

struct SqliteWriter::Moved {
  int rc = SQLITE_OK;
  int frames = 0;
  int moved = 0;
  [[nodiscard]] bool all() const noexcept { return moved == frames; }
};

// A new WAL is empty, and evicting on a full disk needs space in it. Without the write lock another
// program could write the WAL now. If the lock is busy, the next look or transaction tries again.
void SqliteWriter::reserve_wal() noexcept {
  const NoWaiting no_waiting(handle());
  static_cast<void>(guarded(handle(), "reserving space in the WAL", [&] {
    use(&WriterSql::begin)->run();
    lengthen_wal();
  }));
  if (sqlite3_get_autocommit(handle()) == 0) database().tryExec("ROLLBACK");
}

// Zeros are no frames: SQLite takes a WAL of zeros for an empty one.
void SqliteWriter::lengthen_wal() noexcept {
  sqlite3_file* const wal = file_of(SQLITE_FCNTL_JOURNAL_POINTER);
  is_log_reserved_ = wal != nullptr && grow(wal, kWalLeastBytes, kGrowthBytes) == SQLITE_OK;
}

// Counts frames, because the file of the WAL does not shrink when the WAL starts over. A WAL that
// existed at opening counts with its file size.
void SqliteWriter::watch_wal() {
  sqlite3_wal_hook(handle(), remember_frames, &wal_frames_);
  const auto wal = base::inspect(path_ + "-wal");
  wal_frames_ = wal ? wal->bytes / kFrameBytes : 0;
}

// Without the id a WAL that stays beside a replaced file would not be recognized. Returns false if
// the WAL has its id already.
bool SqliteWriter::name_log() {
  if (is_log_named_) return false;
  start_log(database());
  is_log_named_ = true;
  return true;
}

// After a checkpoint of another program, which we cannot notice, a commit may start the WAL over
// without the id. Then the id follows at once. `is_named`: the last commit wrote the id.
void SqliteWriter::name_new_log(bool is_named) noexcept {
  std::uint64_t salts = log_salts(file_of(SQLITE_FCNTL_JOURNAL_POINTER));
  is_log_named_ = is_named || salts == log_salts_;
  if (!is_log_named_ && guarded(handle(), "naming the WAL", [&] { name_log(); })) {
    salts = log_salts(file_of(SQLITE_FCNTL_JOURNAL_POINTER));
  }
  log_salts_ = salts;
}

// With erase_securely the file must end at its last page, because bytes after it are not
// overwritten.
int SqliteWriter::growth_bytes() const {
  return open_->connection->options().erase_securely ? kPageSize : kGrowthBytes;
}

std::int64_t SqliteWriter::wal_bytes() const noexcept { return wal_frames_ * kFrameBytes; }

// Three steps: move all frames, make all readers take a new snapshot, start the WAL over. A reader
// prevents the start only while its snapshot is older than the last moved frame; a new snapshot
// reads the file alone.
base::Result<Writer::Checkpoint> SqliteWriter::checkpoint(bool truncate) {
  if (const auto done = ready(); !done) return done.failure();
  if (in_transaction_) return open_transaction("moving the WAL into the file");
  return guarded(handle(), "moving the WAL into the file", [&] {
    const NoWaiting no_waiting(handle());
    readers_.release_snapshots(0);
    Moved moved = move_frames(SQLITE_CHECKPOINT_PASSIVE);
    bool only_foreign = true;
    if (!moved.all()) {
      only_foreign = readers_.renew_snapshots(kReadersWait);
      moved = move_frames(SQLITE_CHECKPOINT_PASSIVE);
    }
    Checkpoint done{moved.frames, moved.moved, !moved.all() && only_foreign,
                    !moved.all() && !only_foreign};
    if (moved.all() && moved.frames > 0) start_over(truncate, &done);
    return done;
  });
}

void SqliteWriter::start_over(bool truncate, Checkpoint* done) {
  if (!readers_.renew_snapshots(kReadersWait)) {
    done->own_reader = true;
    return;
  }
  if (move_frames(SQLITE_CHECKPOINT_RESTART).rc == SQLITE_BUSY) {
    done->foreign_reader = write_lock_is_free();
    return;
  }
  wal_frames_ = 0;
  if (truncate) shorten_wal();
}

SqliteWriter::Moved SqliteWriter::move_frames(int mode) {
  grown_to_ = 0;  // moving all frames truncates the file even if the WAL does not start over
  Moved result;
  result.rc = sqlite3_wal_checkpoint_v2(handle(), "main", mode, &result.frames, &result.moved);
  const bool only_refused = result.rc == SQLITE_BUSY && mode != SQLITE_CHECKPOINT_PASSIVE;
  if (result.rc != SQLITE_OK && !only_refused) throw SQLite::Exception(handle(), result.rc);
  if (result.all()) is_log_named_ = false;  // now any commit may start the WAL over
  return result;
}

// Distinguishes a reader that prevented the start from another program that writes.
bool SqliteWriter::write_lock_is_free() {
  return database().tryExec("BEGIN IMMEDIATE; ROLLBACK") == SQLITE_OK;
}

// SQLite truncates a WAL that has started over to journal_size_limit at the next commit that
// changes a page, so this makes one, which also names the new WAL. The UPDATE changes a page even
// if SQLite ignores the id. SQLITE_CHECKPOINT_TRUNCATE would remove all of its space.
void SqliteWriter::shorten_wal() {
  const auto wal = base::inspect(path_ + "-wal");
  if (!wal || wal->bytes <= kWalLeastBytes) return;
  const LowerSizeLimit lower(database());
  SQLite::Transaction transaction(database());
  start_log(database());
  database().exec("UPDATE cache_totals SET last_stamp = last_stamp + 1 WHERE last_stamp < 1 << 62");
  transaction.commit();
  name_new_log(true);
}

base::Result<std::int64_t> SqliteWriter::vacuum(int pages) {
  if (const auto done = ready(); !done) return done.failure();
  if (in_transaction_) return open_transaction("giving pages back");
  return guarded(handle(), "giving pages back", [&] {
    if (pages > 0) {
      const bool is_named = name_log();
      // exec reads all rows: SQLite returns one row for each page.
      database().exec(fmt::format("PRAGMA incremental_vacuum({})", pages));
      name_new_log(is_named);
    }
    return pragma(&WriterSql::free_pages);
  });
}

base::Result<std::int64_t> SqliteWriter::bytes_when_moved() {
  if (const auto done = ready(); !done) return done.failure();
  return guarded(handle(), "asking how long the file is", [&] {
    const std::int64_t step = growth_bytes();
    return ((pragma(&WriterSql::all_pages) * kPageSize - 1) / step + 1) * step;
  });
}

base::Result<Totals> SqliteWriter::recount() {
  return change("counting all entries", [&] {
    const Totals before = totals_.now();
    count_all();
    return difference(totals_.now(), before);
  });
}

void SqliteWriter::count_all() {
  totals_.clear();
  StatementUse select = use(&WriterSql::all_sizes);
  while (select->step()) totals_.add(select->integer(0), select->integer(1));
  totals_.counted();
}

}  // namespace ashmemo::store
