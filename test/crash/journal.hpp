#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ashmemo::test {

/// What a caller was about to do, and what it was told.
enum class Step : std::uint8_t {
  none,
  put_begun,
  put_accepted,  // put returned true
  put_refused,   // put returned false
  erase_begun,
  erase_ended,
  group_begun,  // erase_prefix of one group of keys
  group_ended,
  clear_begun,  // of everything; the version is the edition of results since
  clear_ended,
  invalidate_begun,  // the key is that of a post, the version the edition of results since
  invalidate_ended,
  invalidate_all_begun,
  invalidate_all_ended,
  backup_begun,  // the key is the group whose copy it is
  backup_ended,
  flush_begun,
  flush_ended,
  uncommitted,  // the cache said that a removal is not yet in the file
  wrong_value,  // a read found what was never put
};

struct Record {
  Step step = Step::none;
  std::uint32_t key = 0;  // or the group, or the post
  std::uint64_t version = 0;
};

/// What a process did, in memory that it shares with its parent: what is written here outlives the
/// process, whenever that dies. Begun is noted before a call, ended after it.
class Journal {
 public:
  Journal();
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Any thread. Two records of one thread are in its order.
  void add(Step step, std::uint32_t key = 0, std::uint64_t version = 0);
  /// No room is left for another step of all threads.
  [[nodiscard]] bool is_full() const noexcept;

  /// What is whole. The process must have ended.
  [[nodiscard]] std::vector<Record> records() const;
  void clear();

 private:
  struct Slot;
  struct Memory;
  Memory* memory_;
};

}  // namespace ashmemo::test
