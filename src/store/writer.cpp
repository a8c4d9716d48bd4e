#include "store/writer.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "store/row_columns.hpp"
#include "store/schema.hpp"

namespace ashmemo::store {
namespace {

// Rowids are given out one by one from the largest below this: a foreign row at the end of the
// numbers must not stop us.
constexpr std::int64_t kMaxRowid = std::int64_t{1} << 62;

void count(std::int64_t& entries, std::int64_t& bytes, std::int64_t more,
           std::int64_t more_bytes) noexcept {
  entries = base::add_saturated(entries, more);
  bytes = base::add_saturated(bytes, more_bytes);
}

}  // namespace

SqliteWriter::SqliteWriter(std::unique_ptr<Connection> connection, std::string path,
                           ReaderPool& readers, std::atomic<std::uint64_t>& commits)
    : path_(std::move(path)), readers_(readers), commits_(commits) {
  open_ = Open{std::move(connection), {}};
  watch_wal();
  // The schema was compared just now. Where this fails, the first transaction compares it again.
  static_cast<void>(guarded("looking at the file", [&] {
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

base::Result<Writer::Begun> SqliteWriter::begin() {
  if (!open_) return closed();
  auto begun = guarded("beginning a transaction", [&] {
    use(&WriterSql::begin)->run();
    in_transaction_ = true;
    changes_at_begin_ = sqlite3_total_changes64(handle());
    return look_around();
  });
  if (!begun) rollback();
  return begun;
}

base::Result<Writer::Begun> SqliteWriter::look() {
  if (!open_) return closed();
  if (in_transaction_) return open_transaction("looking at the file");
  return guarded("looking at the file", [&] { return look_around(); });
}

// What other programs did since we looked last. The version is read first: what changes while we
// look, without the write lock, is seen the next time.
base::Result<Writer::Begun> SqliteWriter::look_around() {
  const std::int64_t data_version = pragma(&WriterSql::data_version);
  const bool foreign_change = data_version_ != data_version;
  if (foreign_change) {
    commits_.fetch_add(1);  // readers: a new snapshot
    known_ = false;
    if (const auto same = check_schema(); !same) return same.failure();
  }
  if (!known_) {
    if (const auto loaded = load(); !loaded) return loaded.failure();
  }
  data_version_ = data_version;  // last: what was not reported is seen again
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
  totals_ = written_totals_ = {totals->integer(0), totals->integer(1), totals->integer(2),
                               totals->integer(3)};
  written_stamp_ = totals->integer(4);
  last_stamp_ = std::max(last_stamp_, written_stamp_);

  StatementUse rowid = use(&WriterSql::last_rowid);
  rowid->bind(1, kMaxRowid);
  rowid->step();
  next_rowid_ = std::max(next_rowid_, rowid->integer(0) + 1);
  known_ = true;
  is_counted_ = false;
  return {};
}

base::Status SqliteWriter::commit(bool synced) {
  if (!in_transaction_) return no_transaction("committing");
  bool changed = false;
  auto committed = guarded("committing", [&]() -> base::Status {
    if (auto written = write_totals(); !written) return written;
    if (auto grown = grow_file(); !grown) return grown;
    changed = sqlite3_total_changes64(handle()) != changes_at_begin_;
    use(&WriterSql::commit)->run();
    return {};
  });
  if (!committed) {
    rollback();
    return committed;
  }
  in_transaction_ = false;
  written_totals_ = totals_;
  written_stamp_ = last_stamp_;
  if (!changed) return {};
  commits_.fetch_add(1);
  if (!synced || open_->connection->options().synced) return {};
  return guarded("syncing the WAL", [&] { sync_wal(); });
}

base::Status SqliteWriter::write_totals() {
  if (is_doubtful_ && !is_counted_) count_all();
  if (totals_ == written_totals_ && last_stamp_ == written_stamp_) return {};
  StatementUse write = use(&WriterSql::write_totals);
  write->bind(1, totals_.entries);
  write->bind(2, totals_.bytes);
  write->bind(3, totals_.probation_entries);
  write->bind(4, totals_.probation_bytes);
  write->bind(5, last_stamp_);
  write->run();
  if (sqlite3_changes(handle()) != 1) return damaged("cache_totals has lost its row");
  return {};
}

// What is in the WAL must find room in the file: else a full disk would keep it there for ever, and
// the WAL from starting over, which is the room that evicting needs. So the file grows first.
base::Status SqliteWriter::grow_file() {
  sqlite3_int64 bytes = pragma(&WriterSql::all_pages) * kPageSize;
  if (bytes <= grown_to_) return {};
  if (sqlite3_file_control(handle(), "main", SQLITE_FCNTL_SIZE_HINT, &bytes) != SQLITE_OK) {
    return base::Failure{base::FailureKind::full, SQLITE_FULL,
                         "the file cannot grow: its disk is full"};
  }
  grown_to_ = bytes;
  return {};
}

// What synchronous=FULL does after a commit, for this one: the pragma cannot be changed inside a
// transaction, and two of them around each such commit would cost more.
void SqliteWriter::sync_wal() {
  sqlite3_file* wal = nullptr;
  int rc = sqlite3_file_control(handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
  if (rc == SQLITE_OK && wal != nullptr && wal->pMethods != nullptr) {
    rc = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
  }
  if (rc != SQLITE_OK) throw SQLite::Exception(sqlite3_errstr(rc), rc);
}

void SqliteWriter::rollback() noexcept {
  if (!in_transaction_) return;
  in_transaction_ = false;
  known_ = false;
  totals_ = written_totals_;
  is_doubtful_ = false;
  is_counted_ = false;
  // The next commit writes, whatever it is for: one of nothing would not show that writing works.
  last_stamp_ = base::add_saturated(last_stamp_, 1);
  // Some failures have rolled back already.
  if (sqlite3_get_autocommit(handle()) == 0) database().tryExec("ROLLBACK");
}

void SqliteWriter::count_added(std::int64_t bytes, std::int64_t queue) noexcept {
  const std::int64_t more = believable_size(bytes);
  count(totals_.entries, totals_.bytes, 1, more);
  if (queue == kProbationQueue) count(totals_.probation_entries, totals_.probation_bytes, 1, more);
}

void SqliteWriter::count_removed(std::int64_t bytes, std::int64_t queue) noexcept {
  const std::int64_t less = -believable_size(bytes);
  // The file's triggers may have added what the row claims.
  is_doubtful_ = is_doubtful_ || bytes != -less;
  count(totals_.entries, totals_.bytes, -1, less);
  if (queue == kProbationQueue) count(totals_.probation_entries, totals_.probation_bytes, -1, less);
}

void SqliteWriter::close() noexcept {
  if (!open_) return;
  rollback();
  sqlite3_busy_timeout(handle(), 0);
  sqlite3_wal_checkpoint_v2(handle(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  open_.reset();
}

}  // namespace ashmemo::store
