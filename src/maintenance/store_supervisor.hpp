#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/platform.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "store/open.hpp"

namespace ashmemo::maintenance {

/// Opens the store and watches its file. If the file was deleted, replaced or is damaged, it drops
/// the store and opens another one, with back-off while that fails. Readers hold the store by
/// shared_ptr, so no read is interrupted.
///
/// A file is quarantined only if two connections find damage. The store repeats a read on another
/// connection by itself. After damage that the writer or an opening finds, the file is opened again
/// with new connections, and the pass repeats its work once. If this or later work finds damage
/// within an hour, the damage is certain.
///
/// If the file cannot be opened for writing because the disk is full or read-only, or because this
/// user may not write there, it is only read until that works. It is closed before each try,
/// because SQLite shares the index of the log among all connections of a process. Reads miss during
/// a try, for about 1 ms.
///
/// After the program has changed its root directory, it opens nothing, because the path leads to
/// another file there. It keeps a file that is only read.
///
/// The caller holds the maintenance lock.
class StoreSupervisor {
 public:
  explicit StoreSupervisor(engine::Engine& engine) : engine_(engine) {}

  /// Opens the store.
  [[nodiscard]] base::Status open();
  /// Returns the store, or null. Without a store that can be written, it first tries to open one,
  /// except for a short time after a failure. A read-only cache keeps its store.
  [[nodiscard]] std::shared_ptr<store::Store> ensure();
  /// Opening failed and will be tried again later.
  void postpone(const base::Failure& failure);
  /// Drops the store if the path no longer means its file. If the file is only read, reads again
  /// the data that other programs may have changed (calculations, last stamp, totals). These are
  /// three short queries. To compare `PRAGMA data_version` first would need another connection,
  /// because each connection counts by itself.
  void look_at_file();
  /// For a read-only cache: looks at the file, or opens it.
  void follow();
  void close();

 private:
  base::Result<std::unique_ptr<store::Store>> open_store(const store::OpenOptions& options);
  base::Status open_once();
  void open_for_reading();
  base::Status load(store::Store& store);
  base::Status write_calculations(store::Store& store,
                                  const std::vector<store::CalculationRow>& rows);
  void adopt(std::unique_ptr<store::Store> store);
  void mark_corrupt(const store::Store& store, const std::string& why, engine::Damage damage);
  [[nodiscard]] std::shared_ptr<store::Store> take_store();
  void drop_store();
  [[nodiscard]] bool is_read_only() const;
  [[nodiscard]] bool is_file_new() const;
  [[nodiscard]] store::OpenOptions open_options();

  engine::Engine& engine_;
  const base::RootMark root_;
  std::string found_corrupt_;  // not empty: why the next opening must quarantine `corrupt_file_`
  base::FileIdentity corrupt_file_;
  struct Suspect {
    base::FileIdentity file;
    std::int64_t until = 0;  // steady clock
  };
  std::optional<Suspect> suspect_;  // the file in which one connection has found damage
  std::int64_t next_try_ = 0;       // steady clock
  std::int64_t back_off_ = 0;
  int failed_reads_ = 0;                     // openings in succession that could not read the file
  std::optional<std::int64_t> replaced_at_;  // steady clock, of the last quarantine
};

}  // namespace ashmemo::maintenance
