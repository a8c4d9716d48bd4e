#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "engine/counters.hpp"
#include "engine/executor_slot.hpp"

namespace ashmemo::engine {

class RefreshQueue;
struct CalculationState;

/// The keys that one background batch refreshes, copied into one piece of memory.
class RefreshKeys {
 public:
  void reserve(std::size_t keys, std::size_t bytes) {
    ends_.reserve(keys);
    text_.reserve(bytes);
  }
  void add(std::string_view key) {
    text_ += key;
    ends_.push_back(text_.size());
  }
  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

/// A background batch that refreshes stale results of one calculation.
class RefreshBatch {
 public:
  explicit RefreshBatch(const CalculationState* calculation) : calculation_(calculation) {}
  virtual ~RefreshBatch() = default;
  RefreshBatch(const RefreshBatch&) = delete;
  RefreshBatch& operator=(const RefreshBatch&) = delete;

  /// Runs user code, so no mutex is held.
  virtual void run() = 0;
  [[nodiscard]] const RefreshKeys& keys() const noexcept { return keys_; }

 private:
  friend class RefreshQueue;

  const CalculationState* const calculation_;
  RefreshKeys keys_;
  std::uint64_t place_ = 0;  // in the order of requests; 0: it does not wait in the queue
};

/// The background batches that wait, and the keys of all batches that wait or run.
///
/// The newest request runs first. A request for a key that waits already moves its batch to the
/// front. Each calculation has its own limits: for the records that wait, so that memory has a
/// bound, and for the batches that run, so that a calculation that hangs does not take all threads.
///
/// A queued batch claims nothing in InFlightTable, so no load waits for it. A removal marks its
/// keys here, and a batch skips marked keys.
///
/// Each task of the executor runs one batch: the newest one when the task begins. The tasks own the
/// queue together with the engine, because an executor may keep them for longer than the cache.
///
/// Threads: any. No user code runs under the mutex.
class RefreshQueue : public std::enable_shared_from_this<RefreshQueue> {
 public:
  /// The maximum number of waiting records of a calculation. A single batch may have more, because
  /// its caller has a page of that size, too.
  static constexpr std::size_t kMaxRecords = 1'000;
  /// The maximum number of running batches of a calculation. One may hang and the other goes on.
  static constexpr int kMaxRunning = 2;

  /// `executor` must outlive all batches.
  explicit RefreshQueue(ExecutorSlot& executor) : executor_(executor) {}

  // ---- keys

  /// Adds to `batch`, which has no keys yet, the keys that no other batch has. Returns their
  /// positions in `keys`. The batch must not move before `end`.
  [[nodiscard]] std::vector<std::size_t> begin(RefreshBatch& batch,
                                               std::span<const std::string_view> keys);
  /// For each key of the batch: whether it was removed since `begin`.
  [[nodiscard]] std::vector<bool> removed_since_begin(const RefreshBatch& batch) const;
  /// Another batch may have the key from now on.
  void release(const RefreshBatch& batch, std::string_view key) noexcept;
  void end(const RefreshBatch& batch) noexcept;  // releases all its keys
  void removed(std::string_view key);
  void removed_prefix(std::string_view prefix);  // empty: everything

  // ---- batches

  /// Queues the batch and posts a task for it. Drops the oldest batches of its calculation that are
  /// over the limit.
  void add(std::unique_ptr<RefreshBatch> batch);
  /// Drops all batches that wait. Later ones are dropped, too.
  void close();
  /// The number of records whose refresh was dropped because the queue was full, or because the
  /// executor dropped a task or could not run it.
  [[nodiscard]] std::int64_t dropped() const noexcept { return dropped_.get(); }

 private:
  class Task;
  using BatchPtr = std::unique_ptr<RefreshBatch>;

  /// The batches of one calculation.
  struct Lane {
    std::map<std::uint64_t, BatchPtr> waiting;  // by place
    std::size_t records = 0;                    // of the waiting batches
    int running = 0;
  };
  using Lanes = std::map<const CalculationState*, Lane>;
  struct Key {
    RefreshBatch* batch = nullptr;
    bool is_removed = false;
  };

  void post(std::shared_ptr<Task> task);
  void release_locked(const RefreshBatch& batch, std::string_view key) noexcept
      ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] bool needs_task_locked() ASHMEMO_REQUIRES(mutex_);
  void to_front_locked(RefreshBatch& batch) ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] BatchPtr take_locked(Lane& lane, std::uint64_t place) ASHMEMO_REQUIRES(mutex_);
  void erase_if_empty_locked(Lanes::iterator lane) ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] BatchPtr begin_newest();
  void run_newest();
  void finish(BatchPtr batch) noexcept;
  void lose_task() noexcept;

  ExecutorSlot& executor_;
  const base::ProcessMark process_;
  Counter dropped_;
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  // Views of the keys of batches. Ordered, so that a removal of a prefix finds its keys at once.
  std::map<std::string_view, Key> keys_ ASHMEMO_GUARDED_BY(mutex_);
  Lanes lanes_ ASHMEMO_GUARDED_BY(mutex_);
  std::uint64_t last_place_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // batches
  std::size_t tasks_ ASHMEMO_GUARDED_BY(mutex_) = 0;    // posted and not begun
  bool is_closed_ ASHMEMO_GUARDED_BY(mutex_) = false;
};

}  // namespace ashmemo::engine
