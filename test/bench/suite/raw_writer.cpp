#include "bench/suite/raw_writer.hpp"

#include <algorithm>

namespace ashmemo::bench {
namespace {

// As the cache's worker: the log is moved into the file from 4 MiB on.
constexpr int kFramesBeforeCheckpoint = 1'018;
// Any number: limits are held by entries here, and a row that is written again keeps its size.
constexpr std::int64_t kByteSize = 300;

int remember_frames(void* frames, sqlite3*, const char*, int count) {
  *static_cast<int*>(frames) = count;
  return SQLITE_OK;
}

}  // namespace

RawWriter::RawWriter(const std::string& path, const Setup& setup, RawReaders& readers)
    : readers_(readers), connection_(path, 2 * setup.page_cache_bytes) {
  if (setup.evicting) most_entries_ = static_cast<std::int64_t>(setup.entries);
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
  // It stays 0 where a row that was there is changed.
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
  if (entries_ > most_entries_) evict(entries_ - most_entries_);
  write_totals();
  commit_.run();
  rows_ = 0;
  ++commits_;
  if (log_frames_ >= kFramesBeforeCheckpoint) checkpoint();
  readers_.let_go();
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

// First in, first out: the least that holding a limit can cost.
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

// A transaction that began before the last commit would keep the end of the log from being moved;
// one that is open when all was moved, from then on, keeps it from starting over. So all readers
// let go before, and after.
void RawWriter::checkpoint() {
  readers_.let_go();
  sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

}  // namespace ashmemo::bench
