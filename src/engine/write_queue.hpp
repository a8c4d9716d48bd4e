#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <ashmemo/clock.hpp>
#include <ashmemo/events.hpp>
#include <ashmemo/value.hpp>

#include "base/key_hash.hpp"
#include "base/mutex.hpp"
#include "engine/in_flight.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

// The queue of accepted writes that are not yet in the file.
//
// Reads ask the queue before the store, so an accepted write is visible at once. The worker takes
// groups from the front, commits them and reports back.
//
// Order. Items are numbered in the order of arrival and committed in that order. A new write of a
// key replaces an older write of the key that the worker has not taken, unless a range removal was
// queued between the two. So a caller that waits for its item returns only after its write, or the
// write that replaced it, is in the file.
//
// Bound. Writes may take `max_bytes` of memory, and removals as much again. A removal is always
// accepted, because its caller waits for it. Only while the store has refused to write for
// `max_wait`, callers return earlier and removals may reach their bound. Then everything that the
// worker has not taken is dropped and one removal of everything is queued instead. That is always
// safe for a cache.

struct Range;
using RangePtr = std::shared_ptr<Range>;

// The memory of an item besides its bytes: the objects, their control blocks, a hash node and the
// item itself.
inline constexpr std::size_t kItemOverhead = 400;

/// A value to write, or the removal of a key. It never changes once it is queued, except `touches`.
struct Write {
  bool is_put = true;
  bool is_touched = true;                     // overwriting an entry counts as a read of it
  RemovalCause cause = RemovalCause::erased;  // of a removal
  Value value;
  store::Deadlines deadlines;
  std::int64_t stamp = 0;
  std::int64_t byte_size = 0;
  std::int64_t calculation_id = 0;
  Value record_version;
  std::int64_t cost_us = 0;
  mutable std::atomic<std::int64_t> touches{0};  // reads that this write answered

  /// The entry that a put will store.
  [[nodiscard]] store::EntryView view() const {
    return {0, deadlines, calculation_id, record_version, cost_us, value};
  }
  /// Whether a caller erased the key. False for a removal of an older value whose new value was
  /// refused.
  [[nodiscard]] bool is_erasure() const { return !is_put && cause == RemovalCause::erased; }
};
using WritePtr = std::shared_ptr<const Write>;

/// The place of one key in the queue. `key` and `number` never change; the queue's mutex guards the
/// rest.
struct Slot {
  std::string key;
  std::uint64_t number = 0;
  WritePtr write;
  std::size_t bytes = 0;  // of memory, counted against the queue's bound
  bool taken = false;     // by the worker
  bool done = false;
  bool dropped = false;  // removed from the queue without a commit
  bool existed = false;  // valid after `done`: a live entry was erased or replaced
  bool kept = false;     // valid after `done`: the value is in the file
};
using SlotPtr = std::shared_ptr<Slot>;

/// The result of offering a write to the queue.
struct Offered {
  SlotPtr slot;             // null: the queue is full
  WritePtr replaced;        // the older write of the key that will never be committed; may be null
  bool superseded = false;  // not queued, because the computation that made it is superseded
  // Removals reached their bound: everything was dropped, including this number of puts.
  std::optional<std::int64_t> lost{};
};

/// A command about many keys. It is a barrier: items before it are committed before it, and items
/// after it later.
struct Range {
  enum class Kind : std::uint8_t {
    erase_prefix,  // `prefix`
    erase_all,
    put_calculations,  // writes the calculations that the file does not know yet
    recount,           // corrects the totals; `totals_off` has the difference
  };
  Kind kind = Kind::erase_all;
  std::string prefix;                    // empty: everything
  std::atomic<std::int64_t> removed{0};  // entries removed by commits so far
  // Guarded by the queue's mutex.
  std::uint64_t number = 0;
  std::size_t bytes = 0;
  bool taken = false;
  bool done = false;
  bool dropped = false;
  store::Totals totals_off;

  [[nodiscard]] bool removes() const {
    return kind == Kind::erase_all || kind == Kind::erase_prefix;
  }
  [[nodiscard]] bool covers(std::string_view key) const {
    return removes() && key.starts_with(prefix);
  }
};

/// The newest item about a key.
struct Pending {
  enum class Kind : std::uint8_t { nothing, put, removed };
  Kind kind = Kind::nothing;
  WritePtr write;  // of a put
};

/// The items that the worker takes together: writes for one transaction, or one range command.
struct Group {
  std::vector<SlotPtr> slots;
  std::vector<WritePtr> writes;  // writes[i] belongs to slots[i]
  RangePtr range;
  [[nodiscard]] bool empty() const { return slots.empty() && !range; }
};

/// The range removals that are not yet in the file. It keeps the newest one of each prefix, which
/// covers all keys of the older ones. Looking a key up costs one hash lookup for each different
/// length of a prefix, and allocates nothing.
///
/// Threads: its owner guards it.
class RangeRemovals {
 public:
  /// Replaces an older removal of the same prefix.
  void add(const RangePtr& removal);
  /// Does nothing if a newer removal has replaced this one.
  void remove(const Range& removal);
  void clear();

  /// Whether a removal that is newer than `number` covers the key.
  [[nodiscard]] bool cover(std::string_view key, std::uint64_t number) const;
  [[nodiscard]] std::size_t size() const noexcept { return newest_.size(); }

 private:
  base::KeyMap<RangePtr> newest_;               // by prefix
  std::map<std::size_t, std::size_t> lengths_;  // prefix length: number of prefixes
};

/// See the comment at the top of this file. Threads: any; the functions of the worker are called by
/// the holder of the maintenance lock. Its mutex is held while it marks computations as superseded
/// in the in-flight table.
class WriteQueue {
 public:
  /// `max_wait`: callers of removals return uncommitted after the store has refused for this long.
  WriteQueue(std::size_t max_bytes, std::shared_ptr<Clock> clock, InFlightTable& in_flight,
             std::int64_t max_wait = 0);

  // ---- callers

  /// Queues the write if there is space. Erasures always find space. An entry larger than the bound
  /// is accepted if the queue is empty. `by`: the computation that made the value; the write is not
  /// queued if that is superseded. Queueing a write supersedes all other computations of its key in
  /// the same step, so their results are never stored after it.
  [[nodiscard]] Offered offer(std::string_view key, const WritePtr& write,
                              const InFlight* by = nullptr);
  struct Added {
    RangePtr range;                      // the command to wait for
    std::optional<std::int64_t> lost{};  // the same as Offered::lost
  };
  /// Queues the command. If a put_calculations already waits, another one is not queued. Otherwise
  /// repeated invalidations would fill the queue while the store refuses to write.
  Added add(const RangePtr& range);
  [[nodiscard]] Pending find(std::string_view key) const;
  /// Looks many keys up and calls `found(i, pending)` for each one with a pending item. The queue's
  /// mutex is held meanwhile.
  void find_many(std::span<const store::Lookup> keys,
                 const std::function<void(std::size_t, const Pending&)>& found) const;
  /// All pending puts and removals of keys that begin with `prefix`, in the order of the keys.
  [[nodiscard]] std::vector<std::pair<std::string, Pending>> with_prefix(
      std::string_view prefix) const;

  /// A copy of the range removals that are not yet in the file.
  [[nodiscard]] RangeRemovals range_removals() const;

  /// Created by a caller that is about to wait, before it wakes the worker. The queue is urgent as
  /// long as one exists.
  class Waiting {
   public:
    explicit Waiting(WriteQueue& queue) : queue_(queue) { queue_.waiters_.fetch_add(1); }
    ~Waiting() { queue_.waiters_.fetch_sub(1); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    WriteQueue& queue_;
  };
  /// A caller waited and found no space. No caller waits for space until the store has accepted
  /// something or `at_most` has passed.
  void set_stuck(std::int64_t at_most);
  /// Whether callers must not wait for space.
  [[nodiscard]] bool is_stuck() const;
  /// Waits for an item to leave the queue: for a short time, and no longer than `at_most`.
  void wait_a_little(std::int64_t at_most);
  /// Wakes all waiting callers, which may now be able to do the work themselves.
  void wake_waiting() noexcept { changed_.notify_all(); }
  /// Waits until the item is done and returns true. Returns false if the item was dropped, the
  /// store has refused to write for `max_wait`, or the queue was closed. Calls `push` first and
  /// then regularly, without the mutex; `push` makes sure that a thread does the work.
  using Push = std::function<void()>;
  bool wait(const SlotPtr& slot, std::int64_t max_wait, const Push& push);
  bool wait(const RangePtr& range, std::int64_t max_wait, const Push& push);

  // ---- the worker

  /// Takes the next items in order: at most `max_rows`, and at most `max_bytes` of byte_size (a
  /// larger item is taken alone).
  [[nodiscard]] Group take(std::size_t max_rows, std::int64_t max_bytes);
  /// The group was committed: its items leave the queue.
  void finish(const Group& group);
  /// The group was not committed completely: its items will be taken again, in order.
  void give_back(const Group& group) noexcept;
  /// The store refuses to write (true), or it has written again (false).
  void set_refusing(bool refusing);
  [[nodiscard]] bool is_refusing() const noexcept { return refusing_.load(); }
  /// Closes the queue and drops all items. Waiting callers return. Returns the number of lost puts.
  std::int64_t drop_all();

  /// The number of the newest item.
  [[nodiscard]] std::uint64_t last_number() const;
  /// Whether an item up to this number has not been taken yet.
  [[nodiscard]] bool has_until(std::uint64_t number) const;
  /// The number of times that something was queued.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_.load(); }
  [[nodiscard]] bool empty() const noexcept { return items_count_.load() == 0; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.load(); }
  /// A caller waits or the queue is large: the worker should not wait for the flush interval.
  [[nodiscard]] bool is_urgent() const noexcept {
    return waiters_.load() != 0 || items_count_.load() >= kManyItems || bytes() >= max_bytes_ / 4;
  }

 private:
  using Item = std::variant<SlotPtr, RangePtr>;

  static constexpr std::size_t kManyItems = 1'000;  // one full transaction
  static constexpr std::int64_t kNotStuck = std::numeric_limits<std::int64_t>::min();

  [[nodiscard]] Pending find_locked(std::string_view key) const ASHMEMO_REQUIRES(mutex_);
  /// The slot of `key` that a new write may replace; may be null.
  [[nodiscard]] SlotPtr replaceable_locked(std::string_view key) const ASHMEMO_REQUIRES(mutex_);
  void replace_locked(const SlotPtr& slot, const WritePtr& write, std::size_t bytes)
      ASHMEMO_REQUIRES(mutex_);
  SlotPtr append_locked(std::string_view key, const WritePtr& write, std::size_t bytes)
      ASHMEMO_REQUIRES(mutex_);
  void append_locked(const RangePtr& range) ASHMEMO_REQUIRES(mutex_);
  void supersede_locked(std::string_view key, const Write& write, const InFlight* by)
      ASHMEMO_REQUIRES(mutex_);
  void count_locked(const Write& write, std::size_t bytes, bool added) ASHMEMO_REQUIRES(mutex_);
  /// Call it before a removal that takes `bytes` of memory is added. If removals would exceed their
  /// bound while the store refuses to write, drops everything and returns the number of lost puts.
  std::optional<std::int64_t> bound_removals_locked(std::size_t bytes, std::int64_t now)
      ASHMEMO_REQUIRES(mutex_);
  std::int64_t remove_everything_locked() ASHMEMO_REQUIRES(mutex_);
  // Adds the item to the lookup tables. If this throws, the tables are unchanged.
  void index_locked(const SlotPtr& slot) ASHMEMO_REQUIRES(mutex_);
  void drop_done_locked() ASHMEMO_REQUIRES(mutex_);
  void release_locked(const SlotPtr& slot) ASHMEMO_REQUIRES(mutex_);
  void release_locked(const RangePtr& range) ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] bool is_refused_locked(std::int64_t max_wait, std::int64_t now) const
      ASHMEMO_REQUIRES(mutex_);
  template <class ItemPtr>
  bool wait_until_done(const ItemPtr& item, std::int64_t max_wait, const Push& push);

  const std::size_t max_bytes_;
  const std::int64_t max_wait_;
  const std::shared_ptr<Clock> clock_;  // never called with the mutex held
  InFlightTable& in_flight_;
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(3);
  base::Condition changed_;
  std::deque<Item> items_ ASHMEMO_GUARDED_BY(mutex_);
  base::KeyMap<SlotPtr> newest_ ASHMEMO_GUARDED_BY(mutex_);
  RangeRemovals removals_ ASHMEMO_GUARDED_BY(mutex_);  // not yet done
  RangePtr calculations_ ASHMEMO_GUARDED_BY(mutex_);   // the newest put_calculations; may be null
  std::size_t removal_bytes_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // the part of bytes_ for removals
  std::uint64_t last_number_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_range_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::optional<std::int64_t> refusing_since_ ASHMEMO_GUARDED_BY(mutex_);  // steady clock
  bool closed_ ASHMEMO_GUARDED_BY(mutex_) = false;
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<bool> refusing_{false};
  std::atomic<std::int64_t> stuck_until_{kNotStuck};  // steady clock
  std::atomic<std::size_t> items_count_{0};           // including taken items
  std::atomic<std::size_t> bytes_{0};
  std::atomic<int> waiters_{0};
};

}  // namespace ashmemo::engine
