#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <numeric>

#include <ashmemo/cache.hpp>

#include "bench/suite/sqlite_connection.hpp"
#include "bench/suite/system.hpp"
#include "bench/suite/system_ashmemo.hpp"

// The limit that the cache is compared with: its own file, used by plain SQLite, written as well as
// a program can that needs nothing else of it.

namespace ashmemo::bench {
namespace {

// Any number: limits are held by entries here.
constexpr std::int64_t kByteSize = 300;

/// Reads in a transaction that stays open until somebody has committed.
class RawReader final : public Reader {
 public:
  RawReader(const std::string& path, const Setup& setup, const std::atomic<std::int64_t>& commits)
      : connection_(path, setup.page_cache_bytes), commits_(commits) {}

  std::optional<std::string> get(std::string_view key) override {
    use_snapshot();
    return look_up(key, wall_now());
  }

  // Neighbours in the index share pages, so the keys are visited in order.
  Values get_many(std::span<const std::string_view> keys) override {
    use_snapshot();
    order_.resize(keys.size());
    std::iota(order_.begin(), order_.end(), 0U);
    std::sort(order_.begin(), order_.end(),
              [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
    Values values(keys.size());
    const std::int64_t now = wall_now();
    for (const std::uint32_t at : order_) values[at] = look_up(keys[at], now);
    return values;
  }

 private:
  void use_snapshot() {
    const std::int64_t commits = commits_.load();
    if (commits == seen_) return;
    if (seen_ >= 0) end_.run();
    begin_.run();
    seen_ = commits;
  }

  std::optional<std::string> look_up(std::string_view key, std::int64_t now) {
    std::optional<std::string> value;
    find_.bind(1, key);
    if (find_.step() && find_.integer(0) <= now && now < find_.integer(1)) {
      value = std::string(find_.text(2));
    }
    find_.reset();
    return value;
  }

  SqliteConnection connection_;
  const std::atomic<std::int64_t>& commits_;
  std::int64_t seen_ = -1;
  std::vector<std::uint32_t> order_;
  SqliteStatement begin_{connection_.get(), "BEGIN"};
  SqliteStatement end_{connection_.get(), "COMMIT"};
  SqliteStatement find_{
      connection_.get(),
      "SELECT computed_at, expires_at, value FROM cache_entries WHERE cache_key = ?1"};
};

/// One connection that writes, so many rows to a transaction.
class RawWriter {
 public:
  RawWriter(const std::string& path, const Setup& setup, std::atomic<std::int64_t>& commits)
      : connection_(path, 2 * setup.page_cache_bytes), commits_(commits) {
    if (setup.evicting) most_entries_ = static_cast<std::int64_t>(setup.entries);
    entries_ = count();
  }
  ~RawWriter() { commit(); }

  void put(std::string_view key, std::string_view value) {
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

  void touch(std::string_view key) {
    begin();
    touch_.bind(1, key);
    touch_.bind(2, wall_now());
    touch_.run();
    end_row();
  }

  void commit() {
    if (rows_ == 0) return;
    if (entries_ > most_entries_) evict(entries_ - most_entries_);
    totals_.bind(1, entries_);
    totals_.bind(2, entries_ * kByteSize);
    totals_.bind(3, stamp_);
    totals_.run();
    commit_.run();
    rows_ = 0;
    ++commits_;
  }

  std::int64_t count() {
    const bool found = count_.step();
    const std::int64_t entries = found ? count_.integer(0) : 0;
    count_.reset();
    return entries;
  }

 private:
  void begin() {
    if (rows_ == 0) begin_.run();
  }
  void end_row() {
    if (++rows_ == kBatch) commit();
  }
  // First in, first out: the least that holding a limit can cost.
  void evict(std::int64_t rows) {
    evict_.bind(1, rows);
    evict_.run();
    entries_ -= rows;
  }

  SqliteConnection connection_;
  std::atomic<std::int64_t>& commits_;
  std::int64_t most_entries_ = INT64_MAX;
  std::int64_t entries_ = 0;
  std::int64_t stamp_ = 0;
  std::size_t rows_ = 0;  // in the open transaction
  SqliteStatement begin_{connection_.get(), "BEGIN IMMEDIATE"};
  SqliteStatement commit_{connection_.get(), "COMMIT"};
  SqliteStatement upsert_{
      connection_.get(),
      "INSERT INTO cache_entries (cache_key, byte_size, inserted_at, computed_at, expires_at,"
      " accessed_at, eviction_queue, value) VALUES (?1, ?2, ?3, ?4, ?5, ?3, 1, ?6)"
      " ON CONFLICT (cache_key) DO UPDATE SET byte_size = ?2, inserted_at = ?3, computed_at = ?4,"
      " expires_at = ?5, accessed_at = ?3, value = ?6"};
  SqliteStatement touch_{connection_.get(),
                         "UPDATE cache_entries SET accessed_at = max(accessed_at, ?2),"
                         " access_count = access_count + 1 WHERE cache_key = ?1"};
  SqliteStatement evict_{
      connection_.get(),
      "DELETE FROM cache_entries WHERE rowid IN"
      " (SELECT rowid FROM cache_entries INDEXED BY cache_entries_inserted_at_accessed_at"
      " ORDER BY inserted_at, accessed_at LIMIT ?1)"};
  SqliteStatement totals_{connection_.get(),
                          "UPDATE cache_totals SET entries = ?1, bytes = ?2,"
                          " probation_entries = ?1, probation_bytes = ?2, last_stamp = ?3"};
  SqliteStatement count_{connection_.get(), "SELECT entries, bytes FROM cache_totals"};
};

class RawSystem final : public System {
 public:
  RawSystem(const std::string& directory, const Setup& setup)
      : path_(cache_file(directory)), setup_(setup) {
    // The cache itself makes the file: so it is the same, whatever that may come to be.
    if (!std::filesystem::exists(path_)) Cache(path_).close();
  }

  std::unique_ptr<Reader> reader() override {
    return std::make_unique<RawReader>(path_, setup_, commits_);
  }
  void put(const std::string& key, const std::string& value) override {
    const std::lock_guard lock(mutex_);
    writer().put(key, value);
  }
  void put_many(std::span<const Pair> pairs) override {
    std::vector<const Pair*> order;
    order.reserve(pairs.size());
    for (const Pair& pair : pairs) order.push_back(&pair);
    std::sort(order.begin(), order.end(),
              [](const Pair* a, const Pair* b) { return a->first < b->first; });
    const std::lock_guard lock(mutex_);
    for (const Pair* pair : order) writer().put(pair->first, pair->second);
  }
  void flush() override {
    const std::lock_guard lock(mutex_);
    if (writer_) writer_->commit();
  }
  void touch(const std::string& key) override {
    const std::lock_guard lock(mutex_);
    writer().touch(key);
  }
  std::int64_t count() override {
    const std::lock_guard lock(mutex_);
    return writer().count();
  }

 private:
  RawWriter& writer() {
    if (!writer_) writer_ = std::make_unique<RawWriter>(path_, setup_, commits_);
    return *writer_;
  }

  const std::string path_;
  const Setup setup_;
  std::atomic<std::int64_t> commits_{0};
  std::mutex mutex_;  // guards the writer
  std::unique_ptr<RawWriter> writer_;
};

std::unique_ptr<System> open(const std::string& directory, const Setup& setup) {
  return std::make_unique<RawSystem>(directory, setup);
}

}  // namespace

const SystemType kRawSqlite{
    "raw_sqlite", open, true, true,
    "the cache's file and settings; an open read transaction; single puts, too, in transactions\n"
    "of 1,000 rows; evicts first in, first out"};

}  // namespace ashmemo::bench
