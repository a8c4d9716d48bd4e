#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "store/store.hpp"

namespace ashmemo::test {

/// A row of a FakeFile.
struct FakeRow {
  std::int64_t rowid = 0;
  std::int64_t byte_size = 0;
  std::int64_t inserted_at = 0;
  std::int64_t accessed_at = 0;
  std::int64_t access_count = 0;
  std::int64_t calculation_id = 0;
  std::int64_t cost_us = 0;
  std::int64_t eviction_counter = 0;
  std::int64_t eviction_queue = 0;
  bool is_damaged = false;  // does not match its checksum
  store::Deadlines deadlines{};
  Value record_version{};
  Value value{};
};

/// The content of a cache file, in memory. It outlives the stores that are opened on it.
class FakeFile {
 public:
  struct State {
    std::map<std::string, FakeRow, std::less<>> rows;
    std::map<std::int64_t, store::CalculationRow> calculations;
    store::Totals totals;
    std::int64_t last_stamp = 0;
    std::int64_t next_rowid = 1;

    /// Adds a row to the totals (1) or subtracts it (-1).
    void count(const FakeRow& row, std::int64_t sign);
  };
  using StatePtr = std::shared_ptr<const State>;

  [[nodiscard]] StatePtr state() const;
  void set_state(StatePtr state);
  /// Locks the file against other changes. A transaction holds the lock from begin to commit.
  [[nodiscard]] std::unique_lock<std::mutex> lock_for_writing() {
    return std::unique_lock(writing_);
  }
  /// Changes the file as another program might: between the transactions of the writer, and without
  /// raising the commit counter.
  template <class F>
  void change(F f) {
    const auto alone = lock_for_writing();
    State changed = *state();
    f(changed);
    set_state(std::make_shared<const State>(std::move(changed)));
  }

  [[nodiscard]] bool has(std::string_view key) const { return state()->rows.contains(key); }
  [[nodiscard]] std::vector<std::string> keys() const;
  /// The row of an existing key.
  [[nodiscard]] FakeRow row(std::string_view key) const;
  /// Adds a row that existed before the test, and updates the totals. Returns its rowid.
  std::int64_t plant(std::string_view key, FakeRow row);
  /// The totals, counted from the rows.
  [[nodiscard]] store::Totals counted() const;

  // The state that the file reports to its upkeep.
  std::atomic<bool> in_place{true};
  std::atomic<bool> log_in_place{true};
  std::atomic<bool> foreign_reader{false};
  std::atomic<bool> own_reader{false};    // one that takes long
  std::atomic<bool> foreign_lock{false};  // another program is writing
  std::atomic<bool> only_read{false};     // stores that are opened from now on have no writer
  std::atomic<bool> vacuums{true};        // false: free pages stay free, whatever is asked
  std::atomic<std::int64_t> file_bytes{0};
  std::atomic<std::int64_t> wal_file_bytes{0};  // as `stat` sees it
  std::atomic<std::int64_t> wal_bytes{0};       // in use; grows with each commit
  std::atomic<std::int64_t> free_pages{0};
  std::atomic<std::int64_t> given_back{0};  // bytes that the next checkpoint cuts off

  // Calls that were made.
  std::atomic<std::int64_t> allowed{0};  // largest entry, in bytes
  std::function<void()> at_close;        // called when a store closes
  std::atomic<int> open_stores{0};
  std::atomic<int> checkpoints{0};
  std::atomic<int> truncations{0};

 private:
  std::mutex writing_;
  mutable base::Mutex mutex_;
  StatePtr state_ ASHMEMO_GUARDED_BY(mutex_) = std::make_shared<const State>();
};

/// A Store on a FakeFile. It aborts the program if a caller breaks its rules: a change outside of a
/// transaction, or two threads in the writer. It never fails; see FaultyStore.
[[nodiscard]] std::unique_ptr<store::Store> open_fake_store(std::shared_ptr<FakeFile> file);

/// The writer of such a store. Each commit with changes increments `commits`.
[[nodiscard]] std::unique_ptr<store::Writer> make_fake_writer(FakeFile& file,
                                                              std::atomic<std::uint64_t>& commits);

}  // namespace ashmemo::test
