#pragma once

#include <ashmemo/clock.hpp>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/connection.hpp"
#include "store/key_range.hpp"
#include "store/rowid_hints.hpp"
#include "store/rows.hpp"
#include "store/statement.hpp"

namespace ashmemo::store {

/// Decides when a reader's snapshot is too old.
struct SnapshotRule {
  /// Incremented after each commit and after a noticed change of another program.
  const std::atomic<std::uint64_t>* commits = nullptr;
  std::shared_ptr<Clock> clock;
  /// False for a store without a worker: no thread would end the snapshot of an idle reader, which
  /// would prevent the application's WAL from starting over.
  bool keep = true;
};

/// One reading connection with its statements and its snapshot. Used by one thread at a time.
///
/// The transaction stays open between calls, because a read outside of a transaction costs 5 to 6
/// us more. The next call ends it if there was a commit since, or if it is kMaxAge old. If there is
/// no next call, the pool ends it: at a pass of the worker, and before the log is moved or reset.
///
/// After a failure it should be replaced. ReaderPool uses it further if no other can be opened.
class Reader {
 public:
  /// Microseconds. A read after one of our commits always begins a new snapshot. This limits how
  /// long reads miss a change of another program. A new snapshot each 50 ms costs a busy reader
  /// 0.01 % of its time.
  static constexpr std::int64_t kMaxAge = 50'000;

  /// `options.immutable`: opens the file as immutable if it is at rest.
  [[nodiscard]] static base::Result<std::unique_ptr<Reader>> open(
      const std::string& path, const ConnectionOptions& options, SnapshotRule rule,
      std::shared_ptr<RowidHints> hints);

  /// A reader on an open connection, which must not be immutable.
  [[nodiscard]] static base::Result<std::unique_ptr<Reader>> on(
      std::unique_ptr<Connection> connection, SnapshotRule rule, std::shared_ptr<RowidHints> hints,
      const std::string& path);

  /// False for a reader of an immutable file if the file has changed, or has a log by now. Ask
  /// before a read, and afterwards: such a reader has no lock, so another program may change the
  /// file during the read. Then the answer may be mixed from two states.
  [[nodiscard]] bool is_current() const noexcept;
  /// Whether is_current() may have missed a change, because the file changed shortly before it was
  /// opened as immutable. Such a reader must be opened once more.
  [[nodiscard]] bool must_be_renewed() const noexcept {
    return renewed_at_ && rule_.clock->steady_now() >= *renewed_at_;
  }
  /// The reader cannot be opened any more, so it is used as it is.
  void go_on_without_renewal() noexcept { renewed_at_.reset(); }

  /// See Store::read. Reads all keys in one snapshot; after a key that cannot be read, the others
  /// may be read in later ones.
  [[nodiscard]] base::Status read(std::span<const Lookup> keys, RowSink& sink);
  [[nodiscard]] base::Result<std::optional<StoredEntry>> entry(std::string_view key);
  [[nodiscard]] base::Result<std::vector<StoredEntry>> page(std::string_view prefix,
                                                            std::string_view after, int max_rows);
  [[nodiscard]] base::Result<std::vector<CalculationRow>> calculations();
  [[nodiscard]] base::Result<Totals> totals();
  [[nodiscard]] base::Result<std::int64_t> last_stamp();
  [[nodiscard]] base::Result<std::vector<std::string>> integrity();
  [[nodiscard]] base::Status backup(const std::string& target);

  void allow_values_of(std::int64_t bytes) noexcept { connection_->allow_values_of(bytes); }
  /// Ends the snapshot if one is open.
  void let_go() noexcept;
  /// Called after each use: ends a snapshot that would not be used again.
  void finish() noexcept;
  [[nodiscard]] bool holds_snapshot() const noexcept { return holds_; }
  /// Microseconds since the snapshot began.
  [[nodiscard]] std::int64_t snapshot_age() const noexcept;

 private:
  using MayBeAtRest = std::optional<base::FileState>;
  [[nodiscard]] static base::Result<std::unique_ptr<Reader>> make(
      std::unique_ptr<Connection> connection, SnapshotRule rule, std::shared_ptr<RowidHints> hints,
      const std::string& path, const MayBeAtRest& at_rest);
  Reader(std::unique_ptr<Connection> connection, SnapshotRule rule,
         std::shared_ptr<RowidHints> hints, const std::string& path, const MayBeAtRest& at_rest);

  [[nodiscard]] SQLite::Database& database() noexcept { return connection_->database(); }
  void use_snapshot();
  void use_new_snapshot();
  static constexpr std::int64_t kNoHint = 0;
  [[nodiscard]] std::int64_t hint_for(const Lookup& lookup) const noexcept;
  struct HintUses;
  void read_one(std::int64_t hint, const Lookup& lookup, HintUses& uses);
  [[nodiscard]] bool read_at(std::int64_t rowid, const Lookup& lookup, RowSink& sink);
  [[nodiscard]] bool has_row(std::int64_t rowid, std::string_view key);
  void read_by_key(const Lookup& lookup, RowSink& sink);
  [[nodiscard]] bool deliver(const Statement& found, const Lookup& lookup, RowSink& sink);
  bool take_page(const KeyRange& range, int max_rows, std::vector<StoredEntry>* page);
  std::string first_key(const KeyRange& range);

  const std::unique_ptr<Connection> connection_;  // destroyed after its statements
  const SnapshotRule rule_;
  const std::shared_ptr<RowidHints> hints_;
  const std::string path_;
  const MayBeAtRest at_rest_;               // set: the file was opened as immutable
  std::optional<std::int64_t> renewed_at_;  // by the steady clock

  bool holds_ = false;
  std::uint64_t seen_commits_ = 0;  // commits that the snapshot contains
  std::int64_t began_at_ = 0;

  Statement begin_{"BEGIN"};
  Statement end_{"COMMIT"};
  // `k` is the index of keys, `e` the rows. Without the join SQLite would take `cache_key` from the
  // index and never notice that the index leads to the row of another key. LEFT JOIN also finds an
  // index entry without a row. It costs one search in each tree, the same as without the join.
  // The last column is the checksum, which covers the key, or the key of a row without a checksum.
  Statement find_{
      "SELECT e.rowid, e.computed_at, e.fresh_until, e.expires_at, e.keep_until,"
      " e.calculation_id, e.record_version, e.cost_us, e.value, coalesce(e.checksum, e.cache_key)"
      " FROM cache_entries AS k LEFT JOIN cache_entries AS e ON e.rowid = k.rowid"
      " WHERE k.cache_key = ?1"};
  // The same for a hint. The row may have another key, and then its value is not read.
  Statement find_at_{
      "SELECT rowid, computed_at, fresh_until, expires_at, keep_until, calculation_id,"
      " record_version, cost_us, value, coalesce(checksum, cache_key)"
      " FROM cache_entries NOT INDEXED WHERE rowid = ?1 AND cache_key = ?2"};
  Statement key_of_{"SELECT cache_key FROM cache_entries WHERE rowid = ?1"};
  Statement page_{
      "SELECT e.rowid, e.computed_at, e.fresh_until, e.expires_at, e.keep_until,"
      " e.calculation_id, e.record_version, e.cost_us, e.value, e.cache_key, e.checksum,"
      " k.cache_key, e.byte_size, e.inserted_at, e.accessed_at, e.access_count"
      " FROM cache_entries AS k LEFT JOIN cache_entries AS e ON e.rowid = k.rowid"
      " WHERE k.cache_key >= ?1 AND k.cache_key < ?2 ORDER BY k.cache_key LIMIT ?3"};
};

}  // namespace ashmemo::store
