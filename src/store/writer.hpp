#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/connection.hpp"
#include "store/reader_pool.hpp"
#include "store/rowid_hints.hpp"
#include "store/running_totals.hpp"
#include "store/sqlite_error.hpp"
#include "store/store.hpp"
#include "store/writer_sql.hpp"

namespace ashmemo::store {

/// The store's Writer on SQLite. See Writer in store.hpp for the contract.
class SqliteWriter final : public Writer {
 public:
  /// Increments `commits` after each commit, so that readers take a new snapshot. The connection
  /// may be incomplete: then the first use of the writer reads the schema.
  SqliteWriter(std::unique_ptr<Connection> connection, std::string path, ReaderPool& readers,
               std::atomic<std::uint64_t>& commits, std::shared_ptr<RowidHints> hints);
  ~SqliteWriter() override { close(); }

  base::Result<Begun> begin() override;
  base::Result<Begun> look() override;
  base::Status commit(bool synced) override;
  void rollback() noexcept override;

  base::Result<std::optional<DeletedRow>> put(const PutRow& row) override;
  std::int64_t last_rowid() const noexcept override { return last_rowid_; }
  base::Result<std::optional<DeletedRow>> delete_key(std::string_view key) override;
  base::Result<std::optional<std::int64_t>> touch(const TouchRow& touch) override;
  base::Status delete_row(const Candidate& row) override;
  base::Result<std::optional<DeletedRow>> delete_damaged(std::int64_t rowid) override;
  base::Result<bool> reinsert(std::int64_t rowid, const Placement& to) override;

  base::Result<Deleted> delete_prefix(std::string_view prefix, int max_rows) override;
  base::Result<Due> delete_due(std::int64_t now, int max_rows) override;
  base::Result<Due> delete_future(std::int64_t now, std::int64_t* stamp, int max_rows) override;
  base::Result<Deleted> delete_retired(std::optional<std::int64_t>* rowid, int max_rows) override;
  base::Result<std::int64_t> delete_everything() override;
  base::Result<std::vector<Candidate>> oldest(std::int64_t queue, int max_rows) override;

  base::Status put_calculation(const CalculationRow& row) override;
  base::Status add_counters(const CalculationRow& deltas) override;
  base::Status delete_calculations(std::span<const std::int64_t> ids) override;

  base::Status find_rowids(std::span<RowidOf> keys) override;

  Totals totals() const noexcept override { return totals_.now(); }
  base::Result<Totals> recount() override;

  base::Result<Checkpoint> checkpoint(bool truncate) override;
  base::Result<std::int64_t> vacuum(int pages) override;
  base::Result<std::int64_t> bytes_when_moved() override;
  std::int64_t wal_bytes() const noexcept override;

  void allow_values_of(std::int64_t bytes) noexcept {
    if (open_) open_->connection->allow_values_of(bytes);
  }
  /// Reserves space in the WAL, which `look` and `begin` do when necessary.
  void reserve_wal() noexcept;
  /// Moves the WAL into the file, if no reader prevents it, and closes the connection.
  void close() noexcept;

 private:
  // The connection is destroyed after its statements.
  struct Open {
    std::unique_ptr<Connection> connection;
    WriterSql sql;
  };

  /// Prepares the writer for its first use. Fails if it is closed.
  [[nodiscard]] base::Status ready();

  [[nodiscard]] SQLite::Database& database() noexcept { return open_->connection->database(); }
  [[nodiscard]] sqlite3* handle() const noexcept { return open_->connection->handle(); }
  [[nodiscard]] StatementUse use(Statement WriterSql::*statement) {
    return {open_->sql.*statement, database()};
  }

  /// Runs one step of a transaction. A failure rolls the whole transaction back.
  template <class F>
  auto change(std::string_view doing, F&& f) {
    using Answer = decltype(guarded(nullptr, doing, std::forward<F>(f)));
    if (!in_transaction_) return Answer(no_transaction(doing));
    Answer answer = guarded(handle(), doing, std::forward<F>(f));
    if (!answer) rollback();
    return answer;
  }
  // The same for steps that read only keys: a key that is too large is damage.
  template <class F>
  auto change_by_keys(std::string_view doing, F&& f) {
    auto answer = change(doing, std::forward<F>(f));
    if (answer || answer.failure().kind != base::FailureKind::too_large) return answer;
    return decltype(answer)(damaged(answer.failure().what));
  }
  [[nodiscard]] static base::Failure damaged(std::string why);
  [[nodiscard]] static base::Failure closed();
  [[nodiscard]] static base::Failure no_transaction(std::string_view doing);
  [[nodiscard]] static base::Failure open_transaction(std::string_view doing);

  // transactions
  [[nodiscard]] base::Result<Begun> look_around();
  [[nodiscard]] std::int64_t pragma(Statement WriterSql::*statement);
  [[nodiscard]] base::Status check_schema();
  [[nodiscard]] base::Status load();
  [[nodiscard]] base::Status run_commit();
  [[nodiscard]] base::Status write_totals();
  [[nodiscard]] base::Status sync_wal();
  void lengthen_wal() noexcept;

  // single entries
  [[nodiscard]] bool insert(const PutRow& row);
  void replace(const DeletedRow& before, const PutRow& row, std::int64_t reads);
  [[nodiscard]] bool replace_in_place(std::int64_t rowid, const PutRow& row, std::int64_t reads);
  void stored(const PutRow& row, std::int64_t rowid, std::int64_t queue);
  [[nodiscard]] std::optional<DeletedRow> find_by_hint(std::string_view key, std::int64_t* reads);
  [[nodiscard]] std::optional<DeletedRow> find_by_key(std::string_view key, std::int64_t* reads);
  [[nodiscard]] std::optional<DeletedRow> find_damaged(std::int64_t rowid);
  static void bind_row(Statement& write, const PutRow& row, std::int64_t rowid, std::int64_t reads);
  void remove(const DeletedRow& row);
  struct Place {
    std::int64_t byte_size = 0;
    std::int64_t queue = 0;
  };
  [[nodiscard]] std::optional<Place> place_of(std::int64_t rowid);
  [[nodiscard]] bool rewrite(Statement& update);

  // deletion of many entries
  struct Taken;
  [[nodiscard]] Deleted delete_rows(Taken&& taken);
  [[nodiscard]] bool look_for(const std::vector<std::int64_t>& calculations,
                              std::optional<std::int64_t>* rowid, Taken* taken);
  [[nodiscard]] std::vector<std::int64_t> retired_calculations();

  // checkpoint, vacuum, recount
  struct Moved;
  base::Status grow_file();
  [[nodiscard]] sqlite3_file* file_of(int which) noexcept;
  void watch_wal();
  bool name_log();
  void name_new_log(bool is_named) noexcept;
  [[nodiscard]] int growth_bytes() const;
  void start_over(bool truncate, Checkpoint* done);
  [[nodiscard]] Moved move_frames(int mode);
  [[nodiscard]] bool write_lock_is_free();
  void shorten_wal();
  void count_all();

  const std::string path_;
  ReaderPool& readers_;
  std::atomic<std::uint64_t>& commits_;
  const std::shared_ptr<RowidHints> hints_;
  std::optional<Open> open_;

  bool in_transaction_ = false;
  std::int64_t changes_at_begin_ = 0;
  std::int64_t wal_frames_ = 0;   // since the WAL last started over
  bool is_log_named_ = false;     // the WAL has the file id, see file_id.hpp
  std::uint64_t log_salts_ = 0;   // of that WAL
  bool is_log_reserved_ = false;  // the WAL has its least length
  std::int64_t grown_to_ = 0;     // the minimum length of the file

  // Knowledge about the file, valid until another program writes or a transaction is rolled back.
  bool known_ = false;
  std::optional<std::int64_t> data_version_;
  std::int64_t schema_version_ = 0;
  RunningTotals totals_;
  std::int64_t last_stamp_ = 0;
  std::int64_t written_stamp_ = 0;
  // Never decreases while the file is open, not even by a rollback: marks in the access buffer name
  // rows by rowid, and a rowid must not be used for another row. After a collision it is random.
  std::int64_t next_rowid_ = 1;
  bool last_was_new_ = true;
  std::int64_t last_rowid_ = 0;
};

}  // namespace ashmemo::store
