#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "base/result.hpp"
#include "store/connection.hpp"
#include "store/reader.hpp"
#include "store/rowid_hints.hpp"

namespace ashmemo::store {

/// The reading connections of one open file. A connection is opened at its first use and serves one
/// call at a time. A thread takes its last reader again, whose memory is in the cache of its
/// processor. If that one is in use, it takes the most recently used one, whose snapshot is young.
///
/// Threads: any. No function waits for the writer.
class ReaderPool {
  struct Slot {
    std::unique_ptr<Reader> reader;
    bool dedicated = false;
    bool is_extra = false;  // see Size
    bool busy = true;
    bool has_failed = false;  // the next lease opens another reader if it can
    std::uint64_t epoch = 0;  // of the pool at the time of the lease
    std::thread::id user;     // the thread of the last lease
  };

 public:
  /// The maximum number of readers. The first `full` ones have the whole page cache. The others
  /// serve threads beyond the number of processors, which the system interrupts while they read.
  /// Each of them has a page cache of kExtraCacheBytes at most.
  struct Size {
    std::size_t full = 2;
    std::size_t max = 2;
  };
  /// Small, because there may be 14 extra readers: they take 7 MiB. With the default page cache of
  /// 4 MiB they would take 56 MiB. The system caches the file, too.
  static constexpr std::int64_t kExtraCacheBytes = 512 * 1024;

  /// A reader for the lifetime of this object.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), slot_(other.slot_), keep_(other.keep_) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->give_back(slot_, keep_);
    }

    [[nodiscard]] Reader& operator*() const noexcept { return *slot_->reader; }
    [[nodiscard]] Reader* operator->() const noexcept { return slot_->reader.get(); }
    /// The reader failed: the next lease opens another one in its place, if it can.
    void discard() noexcept { keep_ = false; }

   private:
    friend class ReaderPool;
    Lease(ReaderPool* pool, Slot* slot) noexcept : pool_(pool), slot_(slot) {}
    ReaderPool* pool_;
    Slot* slot_;
    bool keep_ = true;
  };

  /// `in_place` fails if the path does not lead to the file any more; then nothing is opened.
  ReaderPool(std::string path, const ConnectionOptions& options, SnapshotRule rule, Size size,
             std::function<base::Status()> in_place, std::shared_ptr<RowidHints> hints);
  ~ReaderPool() { close(); }
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

  /// Full readers for the threads that this machine runs at once, but 2 to 8, because each has a
  /// page cache; and at most 16 readers in all. A thread that the system interrupts keeps its
  /// reader, so the others would wait. With one reader for each of two processors, 16 threads read
  /// 0.65 as fast as two threads; with 16 readers they read 1.1 times as fast (RESULTS.md, scenario
  /// "threads"). Each reader takes two descriptors and memory, so their number has a limit.
  [[nodiscard]] static Size default_size() noexcept;

  /// Adds a reader on this connection, which is open since the claim of the file. Adds nothing if
  /// there is no memory.
  void add(std::unique_ptr<Connection> connection) ASHMEMO_EXCLUDES(mutex_);
  /// Waits while all readers are in use. It never waits for a writer.
  [[nodiscard]] base::Result<Lease> lease() ASHMEMO_EXCLUDES(mutex_);
  /// An additional reader for a long call. It is not counted, never reused, and closed at the end.
  [[nodiscard]] base::Result<Lease> dedicated() ASHMEMO_EXCLUDES(mutex_);

  /// Readers leased from now on can read values of this size.
  void allow_values_of(std::int64_t bytes) noexcept { max_value_bytes_ = bytes; }
  /// Ends the snapshots of idle readers that are at least `max_age` old (microseconds).
  void release_snapshots(std::int64_t max_age) noexcept ASHMEMO_EXCLUDES(mutex_);
  /// Ends the current snapshots of all readers; a reader in use does it at the end of its read.
  /// Returns false if one was still in use after `at_most`.
  [[nodiscard]] bool renew_snapshots(std::chrono::milliseconds at_most) noexcept
      ASHMEMO_EXCLUDES(mutex_);

  /// Waits for the readers in use and closes all. Later leases fail.
  void close() noexcept ASHMEMO_EXCLUDES(mutex_);

 private:
  [[nodiscard]] base::Result<Lease> open(Slot* slot) ASHMEMO_EXCLUDES(mutex_);
  [[nodiscard]] base::Result<Lease> open_or_wait(Slot* added) ASHMEMO_EXCLUDES(mutex_);
  [[nodiscard]] base::Result<std::unique_ptr<Reader>> open_reader(const Slot& slot) const;
  [[nodiscard]] bool renew(Slot* slot) const;
  void give_back(Slot* slot, bool keep) noexcept ASHMEMO_EXCLUDES(mutex_);
  void remove(Slot* slot) noexcept ASHMEMO_EXCLUDES(mutex_);
  [[nodiscard]] Slot* add_slot_locked(bool dedicated) ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] Slot* take_idle_locked() ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] bool busy_since_before_locked(std::uint64_t epoch) const noexcept
      ASHMEMO_REQUIRES(mutex_);

  // Constant after construction.
  const std::string path_;
  const ConnectionOptions options_;
  const SnapshotRule rule_;
  const Size size_;
  const std::function<base::Status()> in_place_;
  const std::shared_ptr<RowidHints> hints_;

  std::atomic<std::int64_t> max_value_bytes_;
  base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(3);
  base::Condition changed_;  // a reader in use was given back or removed
  base::Condition free_;     // a reader is idle, or another one may be opened
  std::vector<std::unique_ptr<Slot>> slots_ ASHMEMO_GUARDED_BY(mutex_);
  std::vector<Slot*> idle_ ASHMEMO_GUARDED_BY(mutex_);  // the most recently used one is last
  std::size_t shared_ ASHMEMO_GUARDED_BY(mutex_) = 0;   // slots that are not dedicated
  std::uint64_t epoch_ ASHMEMO_GUARDED_BY(mutex_) = 0;  // raised by renew_snapshots
  bool closed_ ASHMEMO_GUARDED_BY(mutex_) = false;
};

}  // namespace ashmemo::store
