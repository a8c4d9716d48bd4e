#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "maintenance/disk_full_mode.hpp"
#include "maintenance/events.hpp"
#include "store/store.hpp"

namespace ashmemo::maintenance {

/// The changes of one transaction. They are counted and reported to the hooks after its commit.
struct Changes {
  std::vector<RemovedEntry> removed;
  std::int64_t erased = 0;
  std::int64_t replaced = 0;
  std::int64_t expired = 0;
  std::int64_t evicted = 0;
  std::int64_t refused = 0;
  std::int64_t dropped = 0;
  std::int64_t bytes_written = 0;
  std::int64_t touches_written = 0;
  std::int64_t touches_dropped = 0;

  void remove(std::string key, RemovalCause cause, bool wants_key);
};

/// Runs transactions on the store's writer, and keeps the health of writing. A failure means that
/// the store refuses to write. The next successful commit ends that state. An exception rolls the
/// transaction back and is a failure too. So is a commit to a write-ahead log that another program
/// has deleted, because the commit would be lost with this process.
class Transactions {
 public:
  Transactions(engine::Engine& engine, Events& events, const DiskFullMode& disk_full)
      : engine_(engine), events_(events), disk_full_(disk_full) {}

  using Body = std::function<base::Status(store::Writer&, Changes&)>;
  [[nodiscard]] base::Status run(store::Store& store, const Body& body);
  /// Whether the last run failed because its log was deleted, although its commit succeeded.
  [[nodiscard]] bool has_lost_commit() const noexcept { return has_lost_commit_; }
  /// The maximum size of the next transaction.
  [[nodiscard]] Portion portion() const noexcept { return disk_full_.portion(); }
  [[nodiscard]] bool is_disk_full() const noexcept { return disk_full_.is_active(); }
  /// Reports that the store refuses to write, because of a transaction or of a step that must come
  /// before one. Does nothing if the log was deleted: MaintenancePass then opens the file again.
  void failed(const store::Store& store, const base::Failure& failure);
  /// While evictions or deletions fail and other transactions succeed, their commits do not end the
  /// trouble.
  void set_deleting_fails(bool fails) noexcept { deleting_fails_ = fails; }
  /// Checks for changes by other programs, without a transaction. Afterwards the writer's totals
  /// are those of the file.
  [[nodiscard]] base::Status look(store::Store& store);

  /// Whether the hooks need the keys of entries that a caller erased or replaced.
  [[nodiscard]] bool wants_keys() const { return events_.wants_removals(); }
  /// Whether the keys of expired and evicted entries are needed. The memory tier needs these too.
  /// The callers themselves announce the other changes to it.
  [[nodiscard]] bool wants_own_keys() const { return wants_keys() || engine_.tier; }

 private:
  [[nodiscard]] base::Status attempt(store::Store& store, const Body& body, Changes& changes);
  [[nodiscard]] base::Status in_transaction(store::Store& store, const Body& body,
                                            Changes& changes);
  base::Failure unexpected(std::string_view what);
  void forget_memory();
  void publish(const store::Totals& totals);
  void lost_commit(Changes& changes);
  void count_gone(Changes& changes);
  void committed(store::Writer& writer, Changes& changes);

  engine::Engine& engine_;
  Events& events_;
  const DiskFullMode& disk_full_;
  bool deleting_fails_ = false;
  bool has_lost_commit_ = false;
};

}  // namespace ashmemo::maintenance
