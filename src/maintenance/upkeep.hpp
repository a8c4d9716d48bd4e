#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "engine/engine.hpp"

namespace ashmemo::maintenance {

/// Keeps the file and its write-ahead log small, in slices.
class Upkeep {
 public:
  explicit Upkeep(engine::Engine& engine) : engine_(engine) {}

  /// Whether the write-ahead log has grown enough to be moved into the file.
  [[nodiscard]] bool wants_checkpoint(store::Store& store) const;
  /// Moves the log into the file; `truncate` gives its room back as well. Notices whoever keeps it
  /// from starting over.
  [[nodiscard]] base::Status checkpoint(store::Store& store, bool truncate);
  /// Moves a long log into the file. False: reads of our own that take long keep it from starting
  /// over, and it has no room for more: writing waits for them. A foreign reader, which may stay
  /// for ever, is not waited for.
  [[nodiscard]] base::Result<bool> make_wal_space(store::Store& store);
  /// Gives some free pages back to the system. `*more`: there are more than are kept for new
  /// entries.
  [[nodiscard]] base::Status vacuum_some(store::Store& store, bool* more);
  /// Whether pages were given back that the file still holds, until a checkpoint cuts them off.
  [[nodiscard]] base::Result<bool> can_shrink(store::Store& store) const;
  /// Gives all of them back. `find_wal_space` sees to it, before each slice, that the log has room.
  [[nodiscard]] base::Status vacuum_all(store::Store& store,
                                        const std::function<base::Status()>& find_wal_space);

  /// Another program's read keeps the log from starting over.
  [[nodiscard]] bool has_foreign_reader() const noexcept { return foreign_reader_.load(); }

 private:
  /// Another program is at it, or writes: there is time. What is damaged is to be set aside.
  [[nodiscard]] base::Status judge(const store::Store& store, const base::Failure& failure) const;

  engine::Engine& engine_;
  std::atomic<bool> foreign_reader_{false};
  bool own_reader_ = false;  // kept the log from starting over at the last try
};

}  // namespace ashmemo::maintenance
