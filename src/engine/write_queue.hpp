#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <ashmemo/clock.hpp>
#include <ashmemo/events.hpp>
#include <ashmemo/value.hpp>

#include "base/mutex.hpp"
#include "engine/in_flight.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

// What the queue of pending writes holds, and what it answers.

struct Range;
using RangePtr = std::shared_ptr<Range>;

// What an item costs in memory besides its bytes: the objects, their control blocks, a hash node,
// the queue item.
inline constexpr std::size_t kItemOverhead = 400;

/// A value to be written, or (no value) a removal. Constant once queued, but for the touches.
struct Write {
  bool is_put = true;
  RemovalCause cause = RemovalCause::erased;  // of a removal
  Value value;
  store::Deadlines deadlines;
  std::int64_t stamp = 0;
  std::int64_t byte_size = 0;
  std::int64_t calculation_id = 0;
  Value record_version;
  std::int64_t cost_us = 0;
  mutable std::atomic<std::int64_t> touches{0};

  /// What a caller erases; not the removal of what a value that cannot be kept would have replaced.
  [[nodiscard]] bool is_erasure() const { return !is_put && cause == RemovalCause::erased; }
};
using WritePtr = std::shared_ptr<const Write>;

/// The place of one key in the queue. `key` and `number` never change; the rest is guarded by the
/// queue.
struct Slot {
  std::string key;
  std::uint64_t number = 0;
  WritePtr write;
  std::size_t bytes = 0;  // of memory, against the queue's bound
  bool taken = false;     // by the worker
  bool done = false;
  bool existed = false;  // after done: a live entry was removed or replaced
  bool kept = false;     // after done: the value is in the file
  RangePtr instead;      // everything is removed instead: done when that is
};
using SlotPtr = std::shared_ptr<Slot>;

/// Where an offered write went.
struct Offered {
  SlotPtr slot;       // null: there was no room
  WritePtr replaced;  // the one whose place it took, which will now never be committed; null: none
  bool superseded = false;  // not queued for this reason
  // Removals had become too many, and one of everything took their place: so many puts were lost.
  std::optional<std::int64_t> lost{};
};

/// A command about more than one key. It is a barrier: what came before it is committed before it,
/// what comes later after it.
struct Range {
  enum class Kind : std::uint8_t {
    erase_prefix,  // `prefix`
    erase_all,
    put_calculations,  // what the file does not know yet, whenever it is committed
    recount,           // corrects the totals: `totals_off` afterwards
  };
  Kind kind = Kind::erase_all;
  std::string prefix;  // empty: everything
  // Committed so far, for all that were joined into it.
  std::atomic<std::int64_t> removed{0};
  // Guarded by the queue.
  std::uint64_t number = 0;  // a later one, when it moves to the end
  std::size_t bytes = 0;
  bool taken = false;
  bool done = false;
  RangePtr instead;  // it was joined into this one: done when that is
  store::Totals totals_off;

  [[nodiscard]] bool removes() const {
    return kind == Kind::erase_all || kind == Kind::erase_prefix;
  }
  [[nodiscard]] bool covers(std::string_view key) const {
    return removes() && key.starts_with(prefix);
  }
};

/// What is pending for a key.
struct Pending {
  enum class Kind : std::uint8_t { nothing, put, removed };
  Kind kind = Kind::nothing;
  WritePtr write;  // of a put
};

/// What the worker takes in one go: writes for one transaction, or one range command.
struct Group {
  std::vector<SlotPtr> slots;
  std::vector<WritePtr> writes;  // writes[i] belongs to slots[i]
  RangePtr range;
  [[nodiscard]] bool empty() const { return slots.empty() && !range; }
};

/// The range removals that are not in the file yet, the newest of each prefix: what it covers, the
/// older ones do. Whether a key is covered costs one look-up for each length that their prefixes
/// have, however many they are, and allocates nothing.
///
/// Threads: guarded by its owner.
class RangeRemovals {
 public:
  /// It takes the place of an older one with its prefix.
  void add(const RangePtr& removal);
  /// Nothing, when a newer one has taken its place.
  void remove(const Range& removal);
  void clear();

  /// The newest one with exactly this prefix; null: none.
  [[nodiscard]] RangePtr find(std::string_view prefix) const;
  /// Whether one of them covers the key that is newer than `number`.
  [[nodiscard]] bool cover(std::string_view key, std::uint64_t number) const;
  [[nodiscard]] std::size_t size() const noexcept { return newest_.size(); }

 private:
  std::unordered_map<std::string_view, RangePtr> newest_;  // by their own prefixes
  std::map<std::size_t, std::size_t> lengths_;             // how many prefixes have each
};

// Everything that was accepted and is not yet in the file. Reads ask here before the store, so an
// accepted write is seen at once; the worker takes groups from the front, commits them and reports
// back.
//
// Order. Items are numbered in the order they came. Writes of one key are joined: a later one takes
// the place of an earlier one that the worker has not taken yet, unless a range removal lies
// between. So items are committed in the order of their numbers, and a caller that waits for its
// own item never returns before what it asked for, or what took its place, is in the file.
//
// Range commands are joined, too. One that removes nothing joins the one of its kind that is not
// taken. A removal joins the one of its prefix, which moves to the end, behind the writes that the
// new one removes. It moves only while the store refuses to write: otherwise who waits for it might
// wait for ever.
//
// Bound. Writes have room for `most_bytes`, removals that wait for as much again. When they would
// take more, and the store has refused for so long that nobody waits for them, everything that is
// not taken becomes one removal of everything: for a cache always safe.

class WriteQueue {
 public:
  /// What is queued supersedes the flights of its keys, in one step with the queueing: a flight
  /// that is claimed before that never stores its result after it.
  /// `max_wait`: removals return uncommitted once the store has refused for so long.
  WriteQueue(std::size_t most_bytes, std::shared_ptr<Clock> clock, InFlightTable& in_flight,
             std::int64_t max_wait = 0);

  // ---- callers

  /// Queues the write if there is room. What a caller erases always finds room. An entry larger
  /// than the bound is taken when the queue is empty. `by`: the flight that computed it; not queued
  /// once that is superseded.
  [[nodiscard]] Offered offer(std::string_view key, const WritePtr& write,
                              const InFlight* by = nullptr);
  /// Queues the command, or joins it into one that waits. The answer as Offered::lost.
  std::optional<std::int64_t> add(const RangePtr& range);
  /// The command that was or will be committed for `range`: itself, or what it was joined into.
  [[nodiscard]] RangePtr committed_for(const RangePtr& range) const;
  [[nodiscard]] Pending find(std::string_view key) const;
  /// find for many keys under one lock: `found(i, pending)` for each that has something pending.
  void find_many(std::span<const store::Lookup> keys,
                 const std::function<void(std::size_t, const Pending&)>& found) const;
  /// All pending puts and removals of keys that begin with `prefix`, in the order of the keys.
  [[nodiscard]] std::vector<std::pair<std::string, Pending>> with_prefix(
      std::string_view prefix) const;

  /// Held by a caller who is about to wait, before it wakes the worker: the queue is urgent
  /// meanwhile.
  class Waiting {
   public:
    explicit Waiting(WriteQueue& queue) : queue_(queue) { queue_.waiters_.fetch_add(1); }
    ~Waiting() { queue_.waiters_.fetch_sub(1); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    WriteQueue& queue_;
  };
  /// Waits a little, and no longer than `at_most`, for something to leave the queue.
  void wait_a_little(std::int64_t at_most);
  /// Those who wait look again: they may be able to do the work themselves now.
  void wake_waiting() noexcept { changed_.notify_all(); }
  /// Wait until the item is done, or the store has refused to write for `max_wait`, or the queue
  /// was closed. True: it is done. `push` is called first, and again now and then, without the
  /// lock: it sees to it that somebody does the work.
  using Push = std::function<void()>;
  bool wait(const SlotPtr& slot, std::int64_t max_wait, const Push& push);
  bool wait(const RangePtr& range, std::int64_t max_wait, const Push& push);

  // ---- the worker

  /// The next items in order, at most `most_rows` and `most_bytes` of byte_size (one larger goes
  /// alone).
  [[nodiscard]] Group take(std::size_t most_rows, std::int64_t most_bytes);
  /// After the commit: the items are in the file and no longer pending.
  void finish(const Group& group);
  /// The group could not be committed, or not wholly: it is the next one again, in order.
  void give_back(const Group& group) noexcept;
  /// The store refuses to write (true), or has written again.
  void set_refusing(bool refusing);
  [[nodiscard]] bool is_refusing() const noexcept { return refusing_.load(); }
  /// Drops everything; waiters return. Returns how many puts were lost.
  std::int64_t drop_all();

  /// The number of the newest item, and whether an item up to a number is still there.
  [[nodiscard]] std::uint64_t last_number() const;
  /// How often something was queued: who sees it unchanged has missed nothing.
  [[nodiscard]] std::uint64_t changes() const noexcept { return changes_.load(); }
  [[nodiscard]] bool has_until(std::uint64_t number) const;
  [[nodiscard]] bool empty() const noexcept { return items_count_.load() == 0; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.load(); }
  /// Somebody waits, or much is pending: the worker should not wait for the flush interval.
  [[nodiscard]] bool is_urgent() const noexcept {
    return waiters_.load() != 0 || items_count_.load() >= kManyItems || bytes() >= most_bytes_ / 4;
  }

 private:
  /// Where a range was put; empty, once that has moved to the end.
  struct Place {
    RangePtr range;
    std::uint64_t number = 0;
  };
  using Item = std::variant<SlotPtr, Place>;

  static constexpr std::size_t kManyItems = 1'000;  // a full transaction: waiting gains no more

  [[nodiscard]] Pending find_locked(std::string_view key) const ASHMEMO_REQUIRES(mutex_);
  /// The untaken slot of `key` that a new write may take over, if there is one.
  [[nodiscard]] SlotPtr joinable_locked(std::string_view key) const ASHMEMO_REQUIRES(mutex_);
  void join_locked(const SlotPtr& slot, const WritePtr& write, std::size_t bytes)
      ASHMEMO_REQUIRES(mutex_);
  SlotPtr append_locked(std::string_view key, const WritePtr& write, std::size_t bytes)
      ASHMEMO_REQUIRES(mutex_);
  void supersede_locked(std::string_view key, const Write& write, const InFlight* by)
      ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] RangePtr joinable_locked(const Range& range) const ASHMEMO_REQUIRES(mutex_);
  void append_locked(const RangePtr& range) ASHMEMO_REQUIRES(mutex_);
  void move_to_end_locked(const RangePtr& range) ASHMEMO_REQUIRES(mutex_);
  void count_locked(const Write& write, std::size_t bytes, bool comes) ASHMEMO_REQUIRES(mutex_);
  /// Before removals that take `bytes` more.
  std::optional<std::int64_t> bound_removals_locked(std::size_t bytes) ASHMEMO_REQUIRES(mutex_);
  std::int64_t remove_everything_locked() ASHMEMO_REQUIRES(mutex_);
  bool replace_locked(const Item& item, const RangePtr& all, std::int64_t* lost)
      ASHMEMO_REQUIRES(mutex_);
  // They are found from now on; without the memory for that, what was found before still is.
  void remember_locked(const SlotPtr& slot) ASHMEMO_REQUIRES(mutex_);
  void remember_locked(const RangePtr& range) ASHMEMO_REQUIRES(mutex_);
  void drop_done_locked() ASHMEMO_REQUIRES(mutex_);
  // They leave the queue.
  void release_locked(const SlotPtr& slot) ASHMEMO_REQUIRES(mutex_);
  void release_locked(const RangePtr& range) ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] bool is_refused_locked(std::int64_t max_wait) const ASHMEMO_REQUIRES(mutex_);
  template <class ItemPtr>
  bool wait_until_done(const ItemPtr& item, std::int64_t max_wait, const Push& push);

  // Under the queue's lock.
  [[nodiscard]] static bool is_done(const Slot& slot);
  [[nodiscard]] static bool is_done(const Range& range);
  [[nodiscard]] static bool is_done(const Item& item);
  [[nodiscard]] static bool is_taken(const Item& item);
  [[nodiscard]] static bool is_empty_place(const Item& item);
  [[nodiscard]] static std::uint64_t number_of(const Item& item);

  const std::size_t most_bytes_;
  const std::int64_t max_wait_;
  const std::shared_ptr<Clock> clock_;
  InFlightTable& in_flight_;
  mutable base::Mutex mutex_;
  base::Condition changed_;
  std::deque<Item> items_ ASHMEMO_GUARDED_BY(mutex_);
  std::unordered_map<std::string_view, SlotPtr> newest_ ASHMEMO_GUARDED_BY(mutex_);
  RangeRemovals removals_ ASHMEMO_GUARDED_BY(mutex_);  // not yet done
  std::map<Range::Kind, RangePtr> commands_
      ASHMEMO_GUARDED_BY(mutex_);  // the newest of each other kind, not yet done
  std::size_t empty_places_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::size_t removal_bytes_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // of bytes_
  std::uint64_t last_number_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::atomic<std::uint64_t> changes_{0};
  std::uint64_t last_range_ ASHMEMO_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_move_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // the number that something moved to
  std::optional<std::int64_t> refusing_since_ ASHMEMO_GUARDED_BY(mutex_);
  bool closed_ ASHMEMO_GUARDED_BY(mutex_) = false;
  std::atomic<bool> refusing_{false};
  std::atomic<std::size_t> items_count_{0};  // taken ones included
  std::atomic<std::size_t> bytes_{0};
  std::atomic<int> waiters_{0};
};

}  // namespace ashmemo::engine
