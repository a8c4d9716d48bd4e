#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/clock.hpp>

#include "base/platform.hpp"
#include "base/result.hpp"
#include "store/rows.hpp"

// The folder `store`: the cache file. The layers above see keys, rows and bounded steps. SQL,
// SQLiteCpp and file operations stay in this folder. Tests use their own Store.
//
// Threads: any thread may read. One thread at a time uses the Writer: the holder of the maintenance
// lock. The mutexes of the folder are SqliteStore::file_mutex_, OpenFiles::mutex and
// ReaderPool::mutex_; engine/engine.hpp has their order.

namespace ashmemo::store {

class RowidHints;

/// The only writing connection. Used by the holder of the maintenance lock.
///
/// A transaction is begin, any number of changes, commit. The first change that fails rolls the
/// whole transaction back; the caller starts again or gives up. The writer keeps the totals and
/// commit writes them, so that they are exact after a crash at any time.
class Writer {
 public:
  virtual ~Writer() = default;

  /// What begin noticed about other programs.
  struct Begun {
    bool foreign_change = false;  // another program has written since our last commit
  };
  /// Takes the write lock and begins. Fails with `busy` if another program holds the lock.
  [[nodiscard]] virtual base::Result<Begun> begin() = 0;
  /// Notices changes of other programs without a transaction or a lock. Afterwards totals() matches
  /// the file.
  [[nodiscard]] virtual base::Result<Begun> look() = 0;
  /// Commits the changes (`synced`: to the device, too) and increments the commit counter.
  [[nodiscard]] virtual base::Status commit(bool synced) = 0;
  virtual void rollback() noexcept = 0;

  // Changes of single entries. They return the old row. See keeps_place for the queue position.
  [[nodiscard]] virtual base::Result<std::optional<DeletedRow>> put(const PutRow& row) = 0;
  /// The rowid of the row that `put` wrote last.
  [[nodiscard]] virtual std::int64_t last_rowid() const noexcept = 0;
  [[nodiscard]] virtual base::Result<std::optional<DeletedRow>> delete_key(
      std::string_view key) = 0;
  /// Writes the touches of one row and returns its byte_size; nullopt if the row does not exist.
  [[nodiscard]] virtual base::Result<std::optional<std::int64_t>> touch(const TouchRow& touch) = 0;
  [[nodiscard]] virtual base::Status delete_row(const Candidate& row) = 0;
  /// Reads the row again and deletes it if it does not match its checksum. Returns nullopt if it
  /// matches or does not exist.
  [[nodiscard]] virtual base::Result<std::optional<DeletedRow>> delete_damaged(
      std::int64_t rowid) = 0;
  /// Moves a row to a new place in an eviction queue and writes its touches. Returns false, and
  /// changes nothing, if the value is too large to be written again.
  [[nodiscard]] virtual base::Result<bool> reinsert(std::int64_t rowid, const Placement& to) = 0;

  // Bounded deletions: at most `max_rows` rows, and at most 4 MiB of byte_size after the first row.
  // An empty result means that no row remains.
  using Deleted = std::vector<DeletedRow>;
  [[nodiscard]] virtual base::Result<Deleted> delete_prefix(std::string_view prefix,
                                                            int max_rows) = 0;
  struct Due {
    Deleted rows;
    bool more = false;  // more rows are due
  };
  /// Deletes rows whose keep_until (or expires_at, if that is NULL) is at most `now`. Rows that
  /// stay cost nothing.
  [[nodiscard]] virtual base::Result<Due> delete_due(std::int64_t now, int max_rows) = 0;
  /// Deletes rows that were computed after `now`, a moment in the future. Looks at no more than
  /// `max_rows` rows, and only at rows that were placed in their queues after `now` and after
  /// `*stamp`, in that order. Sets `*stamp` to the place of the last one, so no row is looked at
  /// twice. Does not find a row that kept its place when its value was replaced.
  [[nodiscard]] virtual base::Result<Due> delete_future(std::int64_t now, std::int64_t* stamp,
                                                        int max_rows) = 0;
  /// Looks at `max_rows` rows after `*rowid` and deletes entries of retired calculations. Sets
  /// `*rowid` to the last row that it looked at; nullopt at the end of the table.
  [[nodiscard]] virtual base::Result<Deleted> delete_retired(std::optional<std::int64_t>* rowid,
                                                             int max_rows) = 0;
  /// Deletes everything at once. It costs the pages, not the rows, and returns no keys.
  [[nodiscard]] virtual base::Result<std::int64_t> delete_everything() = 0;
  /// The oldest rows of one eviction queue, oldest first. Every row that is not in the probation
  /// queue belongs to the main queue.
  [[nodiscard]] virtual base::Result<std::vector<Candidate>> oldest(std::int64_t queue,
                                                                    int max_rows) = 0;

  // Calculations. An existing row keeps its counters when it is put again, unless the new row is
  // retired; then it gets the counters of the new row.
  [[nodiscard]] virtual base::Status put_calculation(const CalculationRow& row) = 0;  // by id
  [[nodiscard]] virtual base::Status add_counters(const CalculationRow& deltas) = 0;  // by id
  [[nodiscard]] virtual base::Status delete_calculations(std::span<const std::int64_t> ids) = 0;

  /// The totals in this transaction; after a rollback those from before it.
  [[nodiscard]] virtual Totals totals() const noexcept = 0;
  /// Counts all rows (slow) and corrects the totals. Returns the difference (counted minus stored).
  [[nodiscard]] virtual base::Result<Totals> recount() = 0;

  // Outside of transactions.
  /// Looks the keys up. It is fastest if they are sorted.
  [[nodiscard]] virtual base::Status find_rowids(std::span<RowidOf> keys) = 0;
  struct Checkpoint {
    std::int64_t wal_frames = 0;    // in the WAL before
    std::int64_t moved_frames = 0;  // of these, now in the file
    bool foreign_reader = false;    // a read of another program kept the WAL from starting over
    bool own_reader = false;        // a read of ours did, for longer than the writer waits
  };
  /// Moves committed pages into the file. If no reader needs the old pages, the WAL starts over.
  /// `truncate`: shrinks it to 1 MiB, which stays so that evicting works on a full disk.
  [[nodiscard]] virtual base::Result<Checkpoint> checkpoint(bool truncate) = 0;
  /// Gives at most `pages` free pages back to the system. Returns the number of remaining free
  /// pages.
  [[nodiscard]] virtual base::Result<std::int64_t> vacuum(int pages) = 0;
  /// The maximum length of the file after the WAL is moved into it: a multiple of the step in which
  /// the file grows. Only then the system gets the pages that were given back.
  [[nodiscard]] virtual base::Result<std::int64_t> bytes_when_moved() = 0;
  /// The bytes in the WAL since it last started over. The file of the WAL may be longer (see
  /// FileSizes).
  [[nodiscard]] virtual std::int64_t wal_bytes() const noexcept = 0;
};

/// Sizes of the files, from `stat` and memory. No query.
struct FileSizes {
  std::int64_t file_bytes = 0;
  std::int64_t wal_bytes = 0;
};

/// The failure of an operation that found no memory.
[[nodiscard]] base::Failure out_of_memory(std::string_view doing);
[[nodiscard]] bool is_out_of_memory(const base::Failure& failure) noexcept;
/// Whether the device failed to read the file.
[[nodiscard]] bool is_unreadable(const base::Failure& failure) noexcept;

/// How a cache file is opened; see open_store in open.hpp.
struct OpenOptions {
  std::string path;
  bool read_only = false;
  bool synced = false;  // Durability::power: each commit is synced to the device
  bool erase_securely = false;
  bool exclusive = false;  // no other program may read the file
  /// With `read_only`: FILE-shm is not extended. open_store sets this if the disk has no space for
  /// it. While such a store is open, this process cannot open the file for writing.
  bool keeps_shm = false;
  /// A thread uses the writer soon. Then the writer reserves space in the log at its first use, and
  /// opening does not wait for that.
  bool reserves_later = false;
  std::int64_t reader_cache_bytes = 0;
  std::int64_t writer_cache_bytes = 0;
  std::int64_t max_entry_bytes = 0;  // bounds SQLITE_LIMIT_LENGTH
  std::shared_ptr<Clock> clock;
  std::shared_ptr<RowidHints> hints;  // null: each row is searched by its key
  /// Not empty: why `corrupt_file` was found corrupt while it was open, by two connections. That
  /// file is quarantined even if it looks intact, because opening does not read the entries.
  /// Another file at the path is checked as usual.
  std::string found_corrupt;
  base::FileIdentity corrupt_file;
  /// `corrupt_file` replaced another one a moment ago, whose copy is kept instead.
  bool corrupt_file_is_new = false;
  /// The device failed to read the file at several openings. If it still does, the file is
  /// quarantined.
  bool gives_up_reading = false;
  /// Called after a damaged file was renamed, also if no new file could be created then.
  std::function<void(const std::string& file, const std::string& renamed_to,
                     const std::string& why)>
      on_quarantine;
  /// Called if other users may write the file, and its mode cannot be changed.
  std::function<void(const std::string& file)> on_exposed;
};

/// An open cache file. Threads: any. Reads never wait for the writer.
class Store {
 public:
  virtual ~Store() = default;

  /// Calls sink.row for each key that has a row, in any order. All rows are from one state of the
  /// file (a new state for each 10,000 keys), which includes every commit that finished before the
  /// call.
  ///
  /// This and the other reads of a store with a writer fail with `corrupt` only if two connections
  /// found the damage. So a row may be passed to the sink twice.
  [[nodiscard]] virtual base::Status read(std::span<const Lookup> keys, RowSink& sink) = 0;
  [[nodiscard]] virtual base::Result<std::optional<StoredEntry>> entry(std::string_view key) = 0;
  /// Entries whose keys begin with `prefix` and are greater than `after`, in the order of their
  /// keys. A page may end early, at 4 MiB of keys and values. Only an empty page is the end.
  [[nodiscard]] virtual base::Result<std::vector<StoredEntry>> page(std::string_view prefix,
                                                                    std::string_view after,
                                                                    int max_rows) = 0;
  /// By id. Retired rows have no texts.
  [[nodiscard]] virtual base::Result<std::vector<CalculationRow>> calculations() = 0;
  /// The totals in the file. For read-only access; a writer knows them without reading.
  [[nodiscard]] virtual base::Result<Totals> totals() = 0;
  /// The largest stamp of the file so far.
  [[nodiscard]] virtual base::Result<std::int64_t> last_stamp() = 0;

  /// The problems that `PRAGMA integrity_check` reports. Reads the whole file.
  [[nodiscard]] virtual base::Result<std::vector<std::string>> integrity() = 0;
  /// Copies one state of the file to `target`, which must exist and be empty.
  [[nodiscard]] virtual base::Status backup(const std::string& target) = 0;

  /// Allows entries of this size from now on; larger sizes that were allowed before stay allowed.
  /// Called by the holder of the maintenance lock.
  virtual void allow_entries_of(std::int64_t bytes) = 0;
  /// Ends snapshots of idle readers that are older than `max_age` (microseconds).
  virtual void release_snapshots(std::int64_t max_age) = 0;
  /// The number of commits and noticed foreign changes so far.
  [[nodiscard]] virtual std::uint64_t commit_counter() const noexcept = 0;
  [[nodiscard]] virtual FileSizes sizes() const noexcept = 0;
  /// Whether the paths still lead to the open files: false after a deletion or replacement.
  [[nodiscard]] virtual bool still_in_place() const noexcept = 0;
  /// The same for the write-ahead log alone. Commits to a deleted log are lost with the process.
  [[nodiscard]] virtual bool is_log_in_place() const noexcept = 0;
  /// Null for a read-only store.
  [[nodiscard]] virtual Writer* writer() noexcept = 0;
  /// Waits for running reads, makes the last checkpoint and closes all connections.
  virtual void close() noexcept = 0;
};

}  // namespace ashmemo::store
