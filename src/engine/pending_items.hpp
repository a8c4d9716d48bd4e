#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/events.hpp>
#include <ashmemo/value.hpp>

#include "store/rows.hpp"

// What the queue of pending writes holds, and what it answers.

namespace ashmemo::engine {

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

}  // namespace ashmemo::engine
