#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ashmemo::test {

/// The begin or the end of a call, with its result.
enum class Step : std::uint8_t {
  none,
  put_begun,
  put_accepted,  // put returned true
  put_refused,   // put returned false
  erase_begun,
  erase_ended,
  group_begun,  // erase_prefix of one group of keys
  group_ended,
  clear_begun,  // the version is the edition of results computed after it
  clear_ended,
  invalidate_begun,  // the key is a post, the version the edition of results computed after it
  invalidate_ended,
  invalidate_all_begun,
  invalidate_all_ended,
  backup_begun,  // the key is the group that writes the copy
  backup_ended,
  flush_begun,
  flush_ended,
  uncommitted,  // the cache reported a removal that is not committed
  wrong_value,  // a read found a value that was never put
};

struct Record {
  Step step = Step::none;
  std::uint32_t key = 0;  // or the group, or the post
  std::uint64_t version = 0;
};

/// The steps of a process, in memory that it shares with its parent, so that they survive the
/// process. A begin is recorded before the call, an end after it.
class Journal {
 public:
  Journal();
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// May be called by any thread. The records of one thread are in its order.
  void add(Step step, std::uint32_t key = 0, std::uint64_t version = 0);
  /// Whether there may be no space for one more step of each thread.
  [[nodiscard]] bool is_full() const noexcept;

  /// The complete records. The process must have ended.
  [[nodiscard]] std::vector<Record> records() const;
  void clear();

 private:
  struct Slot;
  struct Memory;
  Memory* memory_;
};

}  // namespace ashmemo::test
