#pragma once

#include <array>
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
#include <unordered_set>
#include <utility>
#include <vector>

#include <ashmemo/clock.hpp>

#include "base/key_hash.hpp"
#include "base/mutex.hpp"
#include "engine/in_flight.hpp"
#include "engine/write.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

// The queue of accepted writes that are not yet in the file.
//
// Reads ask the queue before the store, so an accepted write is visible at once. The worker takes
// groups, commits them and reports back.
//
// Order. The queue has one write for each key, the newest one, and perhaps an older one that the
// worker is committing. The worker writes in sweeps: a sweep has everything that is queued when it
// begins. The worker arranges it in the order of the file and takes it in groups. New keys join the
// next sweep. A new write of a key that the worker has not taken replaces the older one in its
// place. So a caller that waits for a write returns only after that write, or the one that replaced
// it, is in the file.
//
// Writes for which callers wait are taken before the rest of the sweep, but fill only half of a
// group while others wait. A removal of a range is taken next, as a group of its own; other writes
// go on between its steps. It drops the older writes that it covers. Newer ones are held until it
// is done. A group that failed is tried again before anything else.
//
// Bound. Writes may take `max_bytes` of memory, and removals as much again. A removal is always
// accepted, because its caller waits for it. Only while the store has refused to write for
// `max_wait`, callers return earlier and removals may reach their bound. Then everything that the
// worker has not taken is dropped and one removal of everything is queued instead. That is always
// safe for a cache.

struct Range;
using RangePtr = std::shared_ptr<Range>;

// The memory of an item besides its bytes: the write, its place in the table, and its places in the
// sweep. A test measures it. Each caller that waits adds about 100 bytes, which are not counted.
inline constexpr std::size_t kItemOverhead = 200;

struct Slot;
using SlotPtr = std::shared_ptr<Slot>;

/// What callers wait for: the commit of a write, or of the write that replaced it. The queue's
/// mutex guards it, but after `done` it does not change.
struct Slot {
  WritePtr write;    // null when it is no longer queued
  SlotPtr next{};    // a newer write of the key took its place in the queue
  RangePtr range{};  // this removal dropped the write; its callers wait for the removal
  bool done = false;
  bool dropped = false;  // removed from the queue without a commit
  // Valid after `done`: a live entry was erased or replaced. Before: a commit whose log was deleted
  // has erased one, and is repeated.
  bool existed = false;
  bool kept = false;  // valid after `done`: the value is in the file, or a later removal ended it

  [[nodiscard]] bool is_queued() const noexcept { return static_cast<bool>(write); }
};

/// Whether a caller waits for the commit of a write.
enum class Waited : std::uint8_t { no, yes };

/// The result of offering a write to the queue.
struct Offered {
  bool accepted = false;    // false: the queue is full, or the write is superseded
  SlotPtr slot{};           // null if no caller waits
  WritePtr replaced{};      // the older write of the key that will never be committed; may be null
  bool superseded = false;  // not queued, because the computation that made it is superseded
  // Removals reached their bound: everything was dropped, including this number of puts.
  std::optional<std::int64_t> lost{};
};

/// A command about many keys.
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
  std::uint64_t number = 0;  // of all items in the order of queueing; it covers smaller ones only
  // The smallest number of an item that ends with this command: its own, or that of a write that it
  // has dropped. A flush up to this number waits for the command.
  std::uint64_t oldest = 0;
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

/// The place of a write in one of the two sweeps, the current one and the next one. Four bytes,
/// because each queued write has one.
class SweepPlace {
 public:
  SweepPlace() noexcept = default;  // nowhere
  SweepPlace(std::size_t sweep, std::size_t position) noexcept
      : bits_(static_cast<std::uint32_t>(2 * position + sweep)) {}
  [[nodiscard]] bool is_nowhere() const noexcept { return bits_ == kNowhere; }
  [[nodiscard]] std::size_t sweep() const noexcept { return bits_ % 2; }
  [[nodiscard]] std::size_t position() const noexcept { return bits_ / 2; }

 private:
  static constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t bits_ = kNowhere;
};

/// The items that the worker takes together: writes for one transaction, or one range command.
struct Group {
  struct Item {
    WritePtr write;
    SlotPtr slot;  // may be null
    std::uint64_t number = 0;
    SweepPlace place;
    // The outcome, for the callers that wait. The worker sets it.
    bool existed = false;
    bool kept = false;
  };
  /// A put that ended when the range was taken, and the removal that covers it.
  struct Dropped {
    WritePtr write;
    RangePtr by;
  };
  std::vector<Item> items;
  RangePtr range;
  std::vector<Dropped> dropped;
  bool is_lost = false;  // it was committed, but its log was deleted
  [[nodiscard]] bool empty() const { return items.empty() && !range; }
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
  [[nodiscard]] bool cover(std::string_view key, std::uint64_t number) const {
    return covering(key, number) != nullptr;
  }
  /// That removal, or null.
  [[nodiscard]] RangePtr covering(std::string_view key, std::uint64_t number) const;
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
  [[nodiscard]] Offered offer(const WritePtr& write, Waited waited, const InFlight* by = nullptr);
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
  /// A caller waited and found no space. No caller waits for space until a group has left the queue
  /// or `at_most` has passed.
  void set_stuck(std::int64_t at_most);
  /// Whether callers must not wait for space.
  [[nodiscard]] bool is_stuck() const;
  /// Waits for an item to leave the queue: for a short time, and no longer than `at_most`.
  void wait_a_little(std::int64_t at_most);
  /// Wakes all waiting callers, which may now be able to do the work themselves.
  void wake_waiting() noexcept { changed_.notify_all(); }
  /// Waits until the item is done and returns true. Returns false if the item was dropped, the
  /// store has refused to write for `max_wait`, or the queue was closed. Calls `push` first and
  /// then regularly, without the mutex; `push` makes sure that a thread does the work. If it
  /// returns false, the wait ends at once without the mutex.
  using Push = std::function<bool()>;
  bool wait(const SlotPtr& slot, std::int64_t max_wait, const Push& push);
  bool wait(const RangePtr& range, std::int64_t max_wait, const Push& push);

  // ---- the worker

  /// Begins a sweep if the last one has ended, or has only held writes left: the new one has
  /// everything that is queued and not taken. Returns its writes, or nothing if the last sweep goes
  /// on. `again`: then returns the writes of the last sweep. Writes that have left it are null.
  [[nodiscard]] std::vector<WritePtr> begin_sweep(bool again = false);
  /// The order in which the writes of the sweep are taken: indexes of what begin_sweep returned.
  void arrange(std::vector<std::uint32_t> order);
  /// Takes the next items: at most `max_rows`, and at most `max_bytes` of byte_size (a larger item
  /// is taken alone).
  [[nodiscard]] Group take(std::size_t max_rows, std::int64_t max_bytes);
  /// Drops the writes that the range removal of a taken group covers.
  void drop_covered(Group& group);
  /// The group was committed: its items leave the queue.
  void finish(const Group& group);
  /// The group was not committed completely: its items will be taken again. `failed`: before any
  /// other group. Otherwise the groups that succeed would hide those that fail.
  void give_back(const Group& group, bool failed = true) noexcept;
  /// The store refuses to write (true), or it has written again (false).
  void set_refusing(bool refusing);
  [[nodiscard]] bool is_refusing() const noexcept { return refusing_.load(); }
  /// Whether the store has refused for `max_wait`. Then no caller waits for a commit.
  [[nodiscard]] bool has_refused_for_long() const;
  /// Closes the queue and drops all items. Waiting callers return. Returns the number of lost puts.
  std::int64_t drop_all();

  /// The number of the newest item.
  [[nodiscard]] std::uint64_t last_number() const;
  /// Whether items up to this number may still be queued. Items that are queued later keep it true
  /// for one sweep at most.
  [[nodiscard]] bool has_until(std::uint64_t number) const;
  /// The number of times that something was queued.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_.load(); }
  [[nodiscard]] bool empty() const noexcept { return items_count_.load() == 0; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.load(); }
  /// Whether a caller waits for a write, or for space.
  [[nodiscard]] bool is_awaited() const noexcept { return waiters_.load() != 0; }
  /// A caller waits, the queue is half full, or a full group of a sweep is left: the worker should
  /// not wait for the flush interval. A sweep does not begin earlier, because a longer one writes
  /// fewer pages for a row.
  [[nodiscard]] bool is_urgent() const noexcept {
    return is_awaited() || bytes() >= max_bytes_ / 2 || has_full_group_.load();
  }

 private:
  /// The newest write of a key. The table finds it by the key, which never changes.
  struct Entry {
    mutable WritePtr write;
    mutable SlotPtr slot;  // null: no caller waits
    // The place in the order of queueing. A write that replaces another one takes over its number,
    // so that a flush, which waits for all numbers up to one, waits for the replacement, too.
    mutable std::uint64_t number;
    mutable SweepPlace place;
    mutable bool taken = false;  // by the worker
  };
  /// The writes of a sweep in the order in which they were queued. Null: it has left the sweep.
  struct Sweep {
    std::vector<const Entry*> entries;
    std::size_t left = 0;  // the entries that are not null
  };
  // Not noexcept, as base::KeyHash.
  struct EntryHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return base::KeyHash()(key); }
    std::size_t operator()(const Entry& entry) const { return (*this)(entry.write->key()); }
  };
  struct EntryEqual {
    using is_transparent = void;
    static std::string_view key_of(std::string_view key) { return key; }
    static std::string_view key_of(const Entry& entry) { return entry.write->key(); }
    bool operator()(const auto& a, const auto& b) const { return key_of(a) == key_of(b); }
  };
  using Entries = std::unordered_set<Entry, EntryHash, EntryEqual>;

  static constexpr std::size_t kFullGroup = 1'000;  // writes
  static constexpr std::int64_t kNotStuck = std::numeric_limits<std::int64_t>::min();

  [[nodiscard]] Pending find_locked(std::string_view key) const ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] const Entry* untaken_locked(std::string_view key) const ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] std::size_t puts_bytes_without_locked(const Entry* entry) const
      ASHMEMO_REQUIRES(mutex_);
  void append_locked(const WritePtr& write, const SlotPtr& slot) ASHMEMO_REQUIRES(mutex_);
  void append_locked(const RangePtr& range) ASHMEMO_REQUIRES(mutex_);
  WritePtr replace_locked(const Entry& entry, const WritePtr& write) ASHMEMO_REQUIRES(mutex_);
  void supersede_locked(const Write& write, const InFlight* by) ASHMEMO_REQUIRES(mutex_);
  void count_locked(const Write& write, bool added) ASHMEMO_REQUIRES(mutex_);
  void count_items_locked() ASHMEMO_REQUIRES(mutex_);
  /// Call it before a removal that takes `bytes` of memory is added. If removals would exceed their
  /// bound while the store refuses to write, drops everything and returns the number of lost puts.
  std::optional<std::int64_t> bound_removals_locked(std::size_t bytes, std::int64_t now)
      ASHMEMO_REQUIRES(mutex_);
  std::int64_t remove_everything_locked() ASHMEMO_REQUIRES(mutex_);

  [[nodiscard]] std::vector<WritePtr> writes_of_sweep(std::size_t size) const;
  void reserve_locked(std::size_t more) ASHMEMO_REQUIRES(mutex_);
  void join_next_sweep_locked(const Entry& entry) ASHMEMO_REQUIRES(mutex_);
  void leave_sweep_locked(const Entry& entry) ASHMEMO_REQUIRES(mutex_);
  void shorten_next_sweep_locked() ASHMEMO_REQUIRES(mutex_);
  bool take_range_locked(Group& group) ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] bool drop_some_covered(Group& group, std::size_t sweep, std::size_t from);
  Entries::iterator drop_locked(Entries::iterator entry, const RangePtr& by)
      ASHMEMO_REQUIRES(mutex_);
  struct GroupCapacity;
  void take_waited_locked(Group& group, GroupCapacity& capacity) ASHMEMO_REQUIRES(mutex_);
  void take_from_sweep_locked(Group& group, GroupCapacity& capacity) ASHMEMO_REQUIRES(mutex_);
  bool take_locked(Group& group, GroupCapacity& capacity, const Entry& entry)
      ASHMEMO_REQUIRES(mutex_);
  void give_back_locked(const Group::Item& item) ASHMEMO_REQUIRES(mutex_);
  void release_locked(const RangePtr& range) ASHMEMO_REQUIRES(mutex_);

  [[nodiscard]] bool is_refused_locked(std::int64_t max_wait, std::int64_t now) const
      ASHMEMO_REQUIRES(mutex_);
  static void settle(Slot& slot);
  static void settle(const Range&) {}
  template <class ItemPtr>
  bool wait_until_done(const ItemPtr& item, std::int64_t max_wait, const Push& push);

  const std::size_t max_bytes_;
  const std::int64_t max_wait_;
  const std::shared_ptr<Clock> clock_;  // never called with the mutex held
  InFlightTable& in_flight_;
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(3);
  base::Condition changed_;
  Entries entries_ ASHMEMO_GUARDED_BY(mutex_);
  std::deque<SlotPtr> waited_ ASHMEMO_GUARDED_BY(mutex_);  // some are no longer queued
  std::deque<RangePtr> ranges_ ASHMEMO_GUARDED_BY(mutex_);
  std::array<Sweep, 2> sweeps_ ASHMEMO_GUARDED_BY(mutex_);  // the current one and the next one
  std::size_t current_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  // Of the current sweep.
  std::vector<std::uint32_t> order_ ASHMEMO_GUARDED_BY(mutex_);
  std::size_t at_ ASHMEMO_GUARDED_BY(mutex_) = 0;           // in order_
  std::uint64_t sweep_end_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // the last number when it began
  bool has_only_held_ ASHMEMO_GUARDED_BY(mutex_) = false;   // its rest cannot be written yet
  bool was_passed_by_ ASHMEMO_GUARDED_BY(mutex_) = false;   // the next group begins with it
  std::size_t taken_ ASHMEMO_GUARDED_BY(mutex_) = 0;        // the writes of the taken group
  RangeRemovals removals_ ASHMEMO_GUARDED_BY(mutex_);       // not yet done
  RangePtr calculations_ ASHMEMO_GUARDED_BY(mutex_);  // the newest put_calculations; may be null
  std::size_t removal_bytes_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // the part of bytes_ for removals
  std::uint64_t last_number_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::uint64_t covered_until_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // see drop_covered
  bool range_is_next_ ASHMEMO_GUARDED_BY(mutex_) = true;        // if there is one
  bool half_is_larger_ ASHMEMO_GUARDED_BY(mutex_) = false;
  std::optional<std::int64_t> refusing_since_ ASHMEMO_GUARDED_BY(mutex_);  // steady clock
  bool closed_ ASHMEMO_GUARDED_BY(mutex_) = false;
  std::atomic<std::uint64_t> changes_{0};
  std::atomic<bool> refusing_{false};
  std::atomic<std::int64_t> stuck_until_{kNotStuck};  // steady clock
  std::atomic<std::size_t> items_count_{0};           // including taken items
  std::atomic<std::size_t> bytes_{0};
  std::atomic<int> waiters_{0};
  std::atomic<bool> has_full_group_{false};  // in the rest of the current sweep
};

}  // namespace ashmemo::engine
