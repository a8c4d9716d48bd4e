#include "bench/suite/raw_writer.hpp"

#include <algorithm>

namespace ashmemo::bench {
namespace {

// As the worker of the cache: a checkpoint begins when the log has 4 MiB.
constexpr int kFramesBeforeCheckpoint = 1'018;
// Any value works, because this writer limits the number of entries and all rows have the same
// size.
constexpr std::int64_t kByteSize = 300;

int remember_frames(void* frames, sqlite3*, const char*, int count) {
  *static_cast<int*>(frames) = count;
  return SQLITE_OK;
}

}  // namespace

RawWriter::RawWriter(const std::string& path, const Setup& setup, RawReaders& readers)
    : readers_(readers), connection_(path, 2 * setup.page_cache_bytes) {
  if (setup.survives == Survives::power_cut) connection_.run("PRAGMA synchronous=FULL");
  if (setup.evicting) max_entries_ = static_cast<std::int64_t>(setup.entries);
  entries_ = count();
  sqlite3_wal_hook(connection_.get(), remember_frames, &log_frames_);
}

void RawWriter::put(std::string_view key, std::string_view value) {
  begin();
  const std::int64_t now = wall_now();
  stamp_ = std::max(stamp_ + 1, now);
  upsert_.bind(1, key);
  upsert_.bind(2, kByteSize);
  upsert_.bind(3, stamp_);
  upsert_.bind(4, now);
  upsert_.bind(5, now + std::chrono::microseconds(kTtl).count());
  upsert_.bind(6, value);
  // It stays 0 if the statement changes an existing row.
  sqlite3_set_last_insert_rowid(connection_.get(), 0);
  upsert_.run();
  if (sqlite3_last_insert_rowid(connection_.get()) != 0) ++entries_;
  end_row();
}

void RawWriter::touch(std::string_view key) {
  begin();
  touch_.bind(1, key);
  touch_.bind(2, wall_now());
  touch_.run();
  end_row();
}

void RawWriter::commit() {
  if (rows_ == 0) return;
  if (entries_ > max_entries_) evict(entries_ - max_entries_);
  write_totals();
  commit_.run();
  rows_ = 0;
  ++commits_;
  if (log_frames_ >= kFramesBeforeCheckpoint) checkpoint();
  readers_.end_transactions();
}

std::int64_t RawWriter::count() {
  const std::int64_t entries = count_.step() ? count_.integer(0) : 0;
  count_.reset();
  return entries;
}

void RawWriter::begin() {
  if (rows_ == 0) begin_.run();
}

void RawWriter::end_row() {
  if (++rows_ == kBatch) commit();
}

// First in, first out, because that is the cheapest way to stay within a limit.
void RawWriter::evict(std::int64_t rows) {
  evict_.bind(1, rows);
  evict_.run();
  entries_ -= rows;
}

void RawWriter::write_totals() {
  totals_.bind(1, entries_);
  totals_.bind(2, entries_ * kByteSize);
  totals_.bind(3, stamp_);
  totals_.run();
}

// A read transaction that began before the last commit prevents a checkpoint of the end of the log.
// A read transaction that is open after the checkpoint prevents the log from starting over. So all
// readers end their transactions before the checkpoint, and `commit` ends them again after it.
void RawWriter::checkpoint() {
  readers_.end_transactions();
  sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

}  // namespace ashmemo::bench
