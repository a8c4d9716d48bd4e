#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <utility>

#include "base/platform.hpp"
#include "store/schema.hpp"
#include "store/writer.hpp"

// Checkpoint, vacuum, recount: what keeps the files in shape.

namespace ashmemo::store {
namespace {

// The file grows and is cut in steps of this, so that it seldom is.
constexpr int kGrowthBytes = 64 * 1024;

// How long the writer stands still for reads that hold an old state. A read of 10,000 keys, the
// longest that holds one, takes about half of it.
constexpr std::chrono::milliseconds kReadersWait{100};

constexpr std::int64_t kFrameBytes = kPageSize + 24;  // a page and its header

// SQLite asks the busy handler before a checkpoint that wants readers gone: here nobody waits.
class NoWaiting {
 public:
  explicit NoWaiting(sqlite3* handle) : handle_(handle) { sqlite3_busy_timeout(handle_, 0); }
  ~NoWaiting() { sqlite3_busy_timeout(handle_, kBusyMilliseconds); }
  NoWaiting(const NoWaiting&) = delete;
  NoWaiting& operator=(const NoWaiting&) = delete;

 private:
  sqlite3* handle_;
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

// Counting frames is better than looking at the file, which does not get shorter when the WAL
// starts over. A WAL that was there before us counts with its size.
void SqliteWriter::watch_wal() {
  int step = growth_bytes();
  sqlite3_file_control(handle(), "main", SQLITE_FCNTL_CHUNK_SIZE, &step);
  sqlite3_wal_hook(handle(), remember_frames, &wal_frames_);
  const auto wal = base::inspect(path_ + "-wal");
  wal_frames_ = wal ? wal->bytes / kFrameBytes : 0;
}

// Behind the last page nothing is overwritten with zeroes: so nothing may be there.
int SqliteWriter::growth_bytes() const {
  return open_->connection->options().erase_securely ? kPageSize : kGrowthBytes;
}

std::int64_t SqliteWriter::wal_bytes() const noexcept { return wal_frames_ * kFrameBytes; }

// In three steps, because a reader is in the way of the WAL's new start only while its snapshot is
// older than the last frame that was moved: move all frames, have all readers take a new snapshot,
// which then reads the file alone, and start over.
base::Result<Writer::Checkpoint> SqliteWriter::checkpoint(bool truncate) {
  if (!open_) return closed();
  if (in_transaction_) return open_transaction("moving the WAL into the file");
  return guarded("moving the WAL into the file", [&] {
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
  grown_to_ = 0;  // moving all frames cuts the file, also where the WAL does not start over then
  Moved result;
  result.rc = sqlite3_wal_checkpoint_v2(handle(), "main", mode, &result.frames, &result.moved);
  const bool only_refused = result.rc == SQLITE_BUSY && mode != SQLITE_CHECKPOINT_PASSIVE;
  if (result.rc != SQLITE_OK && !only_refused) throw SQLite::Exception(handle(), result.rc);
  return result;
}

// Whether it was a reader who was in the way, or somebody who is writing.
bool SqliteWriter::write_lock_is_free() {
  if (database().tryExec("BEGIN IMMEDIATE") != SQLITE_OK) return false;
  return database().tryExec("ROLLBACK") == SQLITE_OK;
}

// SQLite cuts a WAL that has started over down to journal_size_limit at the next commit, so there
// must be one, and it must change something. SQLITE_CHECKPOINT_TRUNCATE would leave nothing.
void SqliteWriter::shorten_wal() {
  const auto wal = base::inspect(path_ + "-wal");
  if (!wal || wal->bytes <= kWalLeastBytes) return;
  database().exec(fmt::format("PRAGMA journal_size_limit={}", kWalLeastBytes));
  const int rc = database().tryExec(
      "UPDATE cache_totals SET last_stamp = last_stamp + 1 WHERE last_stamp < 1 << 62");
  database().exec(fmt::format("PRAGMA journal_size_limit={}", kWalKeptBytes));
  if (rc != SQLITE_OK) throw SQLite::Exception(handle(), rc);
}

base::Result<std::int64_t> SqliteWriter::vacuum(int pages) {
  if (!open_) return closed();
  if (in_transaction_) return open_transaction("giving pages back");
  return guarded("giving pages back", [&] {
    // exec takes all the rows: SQLite answers one a page.
    if (pages > 0) database().exec(fmt::format("PRAGMA incremental_vacuum({})", pages));
    return pragma(&WriterSql::free_pages);
  });
}

base::Result<std::int64_t> SqliteWriter::bytes_when_moved() {
  if (!open_) return closed();
  return guarded("asking how long the file is", [&] {
    const std::int64_t step = growth_bytes();
    return ((pragma(&WriterSql::all_pages) * kPageSize - 1) / step + 1) * step;
  });
}

base::Result<Totals> SqliteWriter::recount() {
  return change("counting all entries", [&] {
    const Totals before = totals_;
    count_all();
    const Totals off{base::subtract_saturated(totals_.entries, before.entries),
                     base::subtract_saturated(totals_.bytes, before.bytes),
                     base::subtract_saturated(totals_.probation_entries, before.probation_entries),
                     base::subtract_saturated(totals_.probation_bytes, before.probation_bytes)};
    return off;
  });
}

void SqliteWriter::count_all() {
  totals_ = {};
  StatementUse select = use(&WriterSql::all_sizes);
  while (select->step()) {
    count_added(select->integer(0), select->integer(1));
  }
  is_counted_ = true;
  is_doubtful_ = false;
}

}  // namespace ashmemo::store
