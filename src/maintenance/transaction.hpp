#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "maintenance/events.hpp"
#include "store/store.hpp"

namespace ashmemo::maintenance {

/// No transaction carries more than this: a row may dirty four pages, and the write-ahead log, the
/// page cache and whoever waits for the commit feel each of them.
struct Portion {
  int rows = 1'000;
  std::int64_t bytes = 4 * MiB;
};
/// On a full disk: what finds room in the log as long as it is kept.
inline constexpr Portion kSmallPortion{64, 256 * KiB};

/// What a transaction changed, for the counters and the hooks, once it is committed.
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

/// One transaction on the store's writer. What it changed is counted and told only if it was
/// committed; whatever fails is booked as the store refusing to write, and ends that state when it
/// works again. An exception on the way is a failure too: the transaction is rolled back, and the
/// worker goes on.
class Transactions {
 public:
  Transactions(engine::Engine& engine, Events& events) : engine_(engine), events_(events) {}

  using Body = std::function<base::Status(store::Writer&, Changes&)>;
  [[nodiscard]] base::Status run(store::Store& store, const Body& body);
  /// What the next one may carry.
  [[nodiscard]] const Portion& portion() const noexcept { return portion_; }
  void set_portion(const Portion& portion) noexcept { portion_ = portion; }
  /// While it makes room on a full disk, a commit does not mean that writing works again.
  void set_relieving(bool relieving) noexcept { is_relieving_ = relieving; }
  /// No transaction: sees what other programs have changed. Afterwards the writer's totals are
  /// right.
  [[nodiscard]] base::Status look(store::Store& store);
  /// Books that the store refuses to write, also where what was tried was no transaction.
  void failed(const store::Store& store, const base::Failure& failure);

  /// Whether the keys of rows are wanted that a caller has removed or replaced.
  [[nodiscard]] bool wants_keys() const { return events_.wants_removals(); }
  /// Of those that the worker removes by itself. Callers have told the memory tier of theirs.
  [[nodiscard]] bool wants_own_keys() const { return wants_keys() || engine_.tier; }

 private:
  [[nodiscard]] base::Status attempt(store::Writer& writer, const Body& body, Changes& changes);
  [[nodiscard]] base::Status in_transaction(store::Writer& writer, const Body& body,
                                            Changes& changes);
  base::Failure unexpected(std::string_view what);
  void forget_memory();
  void publish(const store::Totals& totals);
  void committed(store::Writer& writer, Changes& changes);

  engine::Engine& engine_;
  Events& events_;
  Portion portion_;
  bool is_relieving_ = false;
};

}  // namespace ashmemo::maintenance
