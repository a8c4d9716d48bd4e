#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/rows.hpp"

// The cache file as the layers above see it: keys, rows and bounded steps. Everything behind it
// (SQL, SQLiteCpp, files) stays in this folder. Tests put their own Store in its place.

namespace ashmemo::store {

/// The one writing connection. Called by one thread at a time: whoever does the worker's work.
///
/// A transaction is begin, any number of changes, commit. The first change that fails has rolled
/// the whole transaction back: the caller starts again or gives up. Totals are kept inside and
/// written by commit, so that they are exact after a crash at any moment.
class Writer {
 public:
  virtual ~Writer() = default;

  /// What begin found out about other programs.
  struct Begun {
    bool foreign_change = false;  // somebody else has written since our last commit
  };
  /// Takes the write lock. Failure busy: another program holds it; nothing has begun.
  [[nodiscard]] virtual base::Result<Begun> begin() = 0;
  /// What begin does, without a transaction and without a lock: afterwards totals() is the file's.
  [[nodiscard]] virtual base::Result<Begun> look() = 0;
  /// Makes the changes durable as opened (`synced`: through the device too), raises the commit
  /// counter.
  [[nodiscard]] virtual base::Status commit(bool synced) = 0;
  virtual void rollback() noexcept = 0;

  // Changes of single entries. The answer is the row that was there before.
  [[nodiscard]] virtual base::Result<std::optional<RemovedRow>> put(const PutRow& row) = 0;
  [[nodiscard]] virtual base::Result<std::optional<RemovedRow>> erase(std::string_view key) = 0;
  /// Writes touches of one row; the answer is its byte_size. Nothing: it is no longer there.
  [[nodiscard]] virtual base::Result<std::optional<std::int64_t>> touch(const TouchRow& touch) = 0;
  [[nodiscard]] virtual base::Status erase_row(const Candidate& row) = 0;
  /// Reads the row again and removes it if it does not match its checksum. Nothing: it does, or it is
  /// no longer there.
  [[nodiscard]] virtual base::Result<std::optional<RemovedRow>> erase_damaged(
      std::int64_t rowid) = 0;
  /// Gives a row a new place in an eviction queue, and writes its touches with it.
  [[nodiscard]] virtual base::Status reinsert(std::int64_t rowid, const Placement& to) = 0;

  // Bounded removals: at most `most` rows, and no more than 4 MiB of byte_size after the first row.
  // An empty answer means that nothing is left.
  using Removed = std::vector<RemovedRow>;
  [[nodiscard]] virtual base::Result<Removed> erase_prefix(std::string_view prefix, int most) = 0;
  struct Due {
    Removed rows;
    bool more = false;  // there are more, which found no room in this call
  };
  /// Rows whose keep_until (or expires_at, if there is none) is at most `now`. Rows that stay cost
  /// nothing.
  [[nodiscard]] virtual base::Result<Due> erase_due(std::int64_t now, int most) = 0;
  /// Looks at the `most` rows after `*rowid` for entries of retired calculations, removes those and
  /// moves `*rowid` on; nullopt in it afterwards: the end was reached.
  [[nodiscard]] virtual base::Result<Removed> erase_retired(std::optional<std::int64_t>* rowid,
                                                            int most) = 0;
  /// Everything at once, at the price of the pages and not of the rows: no keys are told.
  [[nodiscard]] virtual base::Result<std::int64_t> erase_all() = 0;
  /// The oldest rows of one eviction queue, oldest first. Whatever is not in the probation queue
  /// counts as the main one's.
  [[nodiscard]] virtual base::Result<std::vector<Candidate>> oldest(std::int64_t queue,
                                                                    int most) = 0;

  // Calculations. One that is there already keeps its counters when it is put, unless the row
  // is a retired one: then it has those of the row.
  [[nodiscard]] virtual base::Status put_calculation(const CalculationRow& row) = 0;  // by id
  [[nodiscard]] virtual base::Status add_counters(const CalculationRow& deltas) = 0;  // by id
  [[nodiscard]] virtual base::Status forget_retired(std::span<const std::int64_t> ids) = 0;

  /// As of this transaction; after a rollback as before it.
  [[nodiscard]] virtual Totals totals() const noexcept = 0;
  /// Counts all rows (slow) and corrects the totals; the answer is what they were off by (counted
  /// minus kept).
  [[nodiscard]] virtual base::Result<Totals> recount() = 0;

  // Upkeep, outside of transactions.
  struct Checkpoint {
    std::int64_t wal_frames = 0;    // in the WAL before
    std::int64_t moved_frames = 0;  // of those, in the file now
    bool foreign_reader = false;    // somebody else's read kept the WAL from being reset
    bool own_reader = false;        // one of ours did, for longer than the writer waits
  };
  /// Moves committed pages into the file and, where nobody reads the old ones, starts the WAL over.
  /// `truncate`: gives its space back down to 1 MiB (kept, so that evicting works on a full disk).
  [[nodiscard]] virtual base::Result<Checkpoint> checkpoint(bool truncate) = 0;
  /// Gives at most `pages` free pages back to the system; the answer is how many are left.
  [[nodiscard]] virtual base::Result<std::int64_t> vacuum(int pages) = 0;
  /// How long the file is when the WAL has been moved into it. Pages that were given back are the
  /// system's only then.
  [[nodiscard]] virtual base::Result<std::int64_t> bytes_when_moved() = 0;
  /// What the WAL holds since it last started over. The file does not get shorter then: see
  /// FileSizes.
  [[nodiscard]] virtual std::int64_t wal_bytes() const noexcept = 0;
};

/// Numbers about the file, from `stat` and memory: no query.
struct FileSizes {
  std::int64_t file_bytes = 0;
  std::int64_t wal_bytes = 0;
};

/// An open cache file. Reads may come from any thread at any time; they never wait for the writer.
class Store {
 public:
  virtual ~Store() = default;

  /// Calls sink.row for each key that has a row, in any order. All rows are of one state of the
  /// file, which includes every commit that was finished before the call (a new state each 10,000
  /// keys).
  [[nodiscard]] virtual base::Status read(std::span<const Lookup> keys, RowSink& sink) = 0;
  [[nodiscard]] virtual base::Result<std::optional<StoredEntry>> entry(std::string_view key) = 0;
  /// Entries whose keys begin with `prefix` and come after `after`, in the order of their keys. A
  /// page ends early at 4 MiB of keys and values: only an empty one is the end.
  [[nodiscard]] virtual base::Result<std::vector<StoredEntry>> page(std::string_view prefix,
                                                                    std::string_view after,
                                                                    int most) = 0;
  [[nodiscard]] virtual base::Result<std::vector<CalculationRow>> calculations() = 0;
  /// The totals as the file has them (for read-only access; the worker knows them anyway).
  [[nodiscard]] virtual base::Result<Totals> totals() = 0;
  /// The largest stamp that the file has seen.
  [[nodiscard]] virtual base::Result<std::int64_t> last_stamp() = 0;

  /// Lines of `PRAGMA integrity_check` that are not "ok". Reads the whole file.
  [[nodiscard]] virtual base::Result<std::vector<std::string>> integrity() = 0;
  /// Copies one state of the file to `target`, which must exist and be empty.
  [[nodiscard]] virtual base::Status backup(const std::string& target) = 0;

  /// Entries may be as large as that from now on; what was allowed before stays so. The worker's.
  virtual void allow_entries_of(std::int64_t bytes) = 0;
  /// Lets go of snapshots that idle readers keep and that are older than `max_age` (microseconds).
  virtual void release_snapshots(std::int64_t max_age) = 0;
  /// Commits and foreign changes seen so far.
  [[nodiscard]] virtual std::uint64_t commit_counter() const noexcept = 0;
  [[nodiscard]] virtual FileSizes sizes() const noexcept = 0;
  /// Whether the names still mean the files that are open: false after a deletion or replacement.
  [[nodiscard]] virtual bool still_in_place() const noexcept = 0;
  /// Null for a store opened read-only.
  [[nodiscard]] virtual Writer* writer() noexcept = 0;
  /// The last checkpoint and the end of all connections. Reads in progress finish first.
  virtual void close() noexcept = 0;
};

}  // namespace ashmemo::store
