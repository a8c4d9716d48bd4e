#pragma once

#include <atomic>
#include <cstdint>

#include "engine/engine.hpp"
#include "maintenance/disk_full_mode.hpp"
#include "maintenance/transaction.hpp"

namespace ashmemo::maintenance {

/// How long work waits for reads of this process that prevent a long write-ahead log (WAL) from
/// starting over.
enum class WaitsForReads : std::uint8_t {
  once,  // one attempt of 0.1 seconds; the next pass tries again
  // Options::timing.max_wait, because a caller waits; then the writes stay queued. For a second
  // after it, or until the store writes again, other callers do not wait.
  max_wait,
  at_length  // ten seconds; then the writes stay queued, but a closing cache goes on
};

/// Keeps the file and its WAL small. Each function does a bounded amount of work.
class Upkeep {
 public:
  Upkeep(engine::Engine& engine, Transactions& transactions, const DiskFullMode& disk_full)
      : engine_(engine), transactions_(transactions), disk_full_(disk_full) {}

  /// Whether the WAL is long enough to copy it into the file.
  [[nodiscard]] bool wants_checkpoint(store::Store& store) const;
  /// Copies the WAL into the file. `truncate`: also gives the space of the WAL back. Reports a
  /// reader in another program that prevents the WAL from starting over.
  [[nodiscard]] base::Status checkpoint(store::Store& store, bool truncate);
  /// Copies the WAL if it is long, and in disk-full mode always.
  [[nodiscard]] base::Status checkpoint_if_long(store::Store& store);

  /// Makes sure that the WAL has space for another transaction. Returns false if it has none,
  /// because a long read prevents it from starting over. Then nothing may be written.
  [[nodiscard]] base::Result<bool> make_wal_space(store::Store& store);
  /// Whether a long read prevented the WAL from starting over at the last attempt, and the WAL has
  /// no space for another transaction.
  [[nodiscard]] bool is_wal_full(store::Store& store) const;
  /// The same as make_wal_space for pending writes: waits for the reads of this process, and the
  /// store counts as refusing to write meanwhile. It does not wait for a reader in another program,
  /// because that may never end.
  [[nodiscard]] base::Result<bool> find_wal_space(store::Store& store, WaitsForReads waits);
  /// The same, but the failure `busy` instead of false.
  [[nodiscard]] base::Status require_wal_space(store::Store& store, WaitsForReads waits);

  /// Gives some free pages back to the system. Sets `*more` if more free pages remain than new
  /// entries need.
  [[nodiscard]] base::Status vacuum_some(store::Store& store, bool* more);
  /// Gives all free pages back.
  [[nodiscard]] base::Status vacuum_all(store::Store& store);
  /// Whether a checkpoint would make the file shorter.
  [[nodiscard]] base::Result<bool> can_shrink(store::Store& store) const;

  /// Whether a reader in another program prevented the WAL from starting over at the last attempt.
  /// Any thread.
  [[nodiscard]] bool has_foreign_reader() const noexcept { return foreign_reader_.load(); }

 private:
  [[nodiscard]] bool is_blocked_by_foreign_reader() const noexcept {
    return foreign_reader_ && !own_reader_;
  }
  [[nodiscard]] bool has_waited_in_vain(store::Store& store) const;
  void report_blocked();
  [[nodiscard]] base::Status tolerate_busy(const store::Store& store,
                                           const base::Failure& failure) const;

  engine::Engine& engine_;
  Transactions& transactions_;
  const DiskFullMode& disk_full_;
  std::atomic<bool> foreign_reader_{false};
  std::int64_t next_wait_ = 0;  // steady clock; see WaitsForReads::max_wait
  bool own_reader_ = false;     // prevented the WAL from starting over at the last attempt
};

}  // namespace ashmemo::maintenance
