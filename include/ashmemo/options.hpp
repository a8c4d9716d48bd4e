#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <ashmemo/clock.hpp>
#include <ashmemo/duration.hpp>
#include <ashmemo/events.hpp>
#include <ashmemo/executor.hpp>

// Everything that can be set when a cache is opened. Each field has its default, unit and cost
// here. All fields are checked before anything is opened; an impossible value is an Error
// (invalid_options) that names the field and the value. The order of the fields never changes, so
// designated initializers keep compiling.

namespace ashmemo {

inline constexpr std::int64_t KiB = 1024;
inline constexpr std::int64_t MiB = 1024 * KiB;
inline constexpr std::int64_t GiB = 1024 * MiB;

struct Unlimited {};
/// No limit.
inline constexpr Unlimited unlimited{};

/// A number of entries or bytes, or `unlimited`, or not set (then the documented default applies).
/// With 0 nothing is stored.
class Limit {
 public:
  constexpr Limit() = default;
  constexpr Limit(Unlimited) : kind_(Kind::without_end) {}
  template <std::integral I>
  constexpr Limit(I count)
      : kind_(Kind::number),
        count_(std::cmp_greater(count, kMax) ? kMax : static_cast<std::int64_t>(count)) {}

  [[nodiscard]] constexpr bool is_set() const { return kind_ != Kind::unset; }
  [[nodiscard]] constexpr bool is_unlimited() const { return kind_ == Kind::without_end; }
  /// The number. For an unlimited one it is the maximum of the type.
  [[nodiscard]] constexpr std::int64_t count() const {
    return kind_ == Kind::number ? count_ : kMax;
  }
  friend constexpr bool operator==(const Limit&, const Limit&) = default;

 private:
  enum class Kind : std::uint8_t { unset, without_end, number };
  static constexpr std::int64_t kMax = INT64_MAX;
  Kind kind_ = Kind::unset;
  std::int64_t count_ = kMax;
};

/// The maximum content of the cache. Both totals apply at once. Entries over a limit are evicted
/// right after the commit that exceeded it. `Cache::set_limits` changes them while the cache is
/// open.
struct Limits {
  Limit max_entries{};  ///< entries; default: unlimited
  Limit max_bytes{};    ///< bytes that entries take in the file; default: 256 MiB
  /// Bytes of one entry. A larger entry is refused and counted, and nothing is evicted for it. The
  /// same holds for an entry that is larger than max_bytes. At most 1 GiB, never unlimited.
  /// Default: an eighth of max_bytes, at most 64 MiB.
  Limit max_entry_bytes{};
  /// Bytes of the write-ahead log while a read of another program keeps it from starting over. If
  /// the log is longer, the file accepts no writes until that read ends. The writes wait in the
  /// queue; if it is full, they are dropped and counted. 8 MiB or more. Default: a quarter of
  /// max_bytes, at least 8 MiB.
  Limit max_wal_bytes{};
};

/// Intervals and waits. They use the steady clock.
struct Timing {
  /// The minimum time between two writes of `accessed_at` and `access_count` of one entry. Reads in
  /// between are counted, and written with the next touch, except some reads of entries that are
  /// read thousands of times a second. 0: with every flush. Cost: writes.
  Duration touch_interval = std::chrono::minutes(1);
  /// The maximum time that an accepted `relaxed` write waits for other writes to share its commit.
  /// The worker writes it earlier if it has other work. Cost: a longer interval loses more in a
  /// crash; a shorter one commits more often, and after each commit the page caches of all readers
  /// are empty.
  Duration flush_interval = std::chrono::milliseconds(100);
  /// How often the idle worker looks for work without a signal, for safety. At least 10 ms, because
  /// each look costs processor time.
  Duration maintenance_interval = std::chrono::minutes(1);
  /// The maximum time that a call waits for a store that does not accept its write. After a call
  /// waited and found no space in the queue, no other call waits for space until a write has left
  /// the queue. Without a worker thread, one call a second waits again.
  Duration max_wait = std::chrono::milliseconds(100);
  /// How long `close` waits for running refreshes, and then how long it tries to write accepted
  /// work. The rest is dropped and counted.
  Duration close_wait = std::chrono::seconds(5);
};

/// Where the worker's work runs.
enum class WorkerMode : std::uint8_t {
  thread = 0,  ///< one thread, started by opening and stopped by closing
  /// No thread. The program calls `run_maintenance` or `flush`. A call that would wait for the
  /// worker does the worker's work itself, or waits for the thread that does it. For tests, and for
  /// programs that own all their threads.
  manual = 1,
};

/// Parts of the cache that a program can replace, and functions that the cache calls.
struct Hooks {
  std::shared_ptr<Clock> clock{};  ///< default: system_clock()
  std::shared_ptr<Executor>
      executor{};  ///< runs background refreshes; default: up to 8 threads, started when needed
  /// Called for faults and changes of state (see Notice), by the worker and without a mutex. Its
  /// exceptions are counted and dropped. It may call the cache; no call waits there.
  std::function<void(const Notice&)> on_error{};
  /// Called for every entry that is removed from the file (see Removal), after the commit. The
  /// rules of on_error apply.
  std::function<void(const Removal&)> on_removal{};
  WorkerMode worker = WorkerMode::thread;
};

/// What an accepted write survives after `put` returned.
enum class Durability : std::uint8_t {
  relaxed = 0,  ///< in the queue: a crash of the process loses writes that are not committed yet
  commit = 1,   ///< in the file: survives a crash of the process, not always a power cut
  power = 2,    ///< synced: survives a power cut
};

/// Which entry is evicted first when a limit is exceeded. Expired entries are always removed first.
///
/// A new value for an entry is a use of the entry, if the older value still answers and belongs to
/// the same version of the same calculation, or if both were put directly. The entry then keeps its
/// place in the order of eviction. Every other value is a new entry, also for a key that is stored.
/// With `none` each value is a new entry. A new policy is also added to the table in
/// src/api/text.cpp.
enum class Eviction : std::uint8_t {
  /// No entry: writes that would exceed a limit are refused, unless expired entries, or entries
  /// that were stored while the clock was far in the future, make room.
  none = 0,
  fifo = 1,    ///< the entry that was stored first; uses change nothing
  lru = 2,     ///< the entry that was not used for the longest time
  clock = 3,   ///< the oldest entry that was not used since its last chance (second chance)
  s3fifo = 4,  ///< entries that are used once are evicted early (S3-FIFO, Yang et al., SOSP 2023)
};

/// How the file is opened.
enum class Access : std::uint8_t {
  read_write = 0,
  /// For tools beside a running application. No lock, no worker, nothing is written, touches are
  /// not counted. Commits of the application are seen at once. Changes that concern more than
  /// single entries (new and invalidated calculations, Stats::entries and bytes, a file that was
  /// replaced) are seen by the next call after at most a second. While there is no file, calls look
  /// for it again, with back-off. A file that was closed is read without files beside it, and also
  /// from a medium that cannot be written.
  read_only = 1,
};

/// What opening does if the file cannot be used (missing folder, read-only, full, failing). It
/// concerns no file that is in use or is no cache, and no SQLite that works for one thread only:
/// these are always an Error.
enum class WhenUnavailable : std::uint8_t {
  /// Opens, and uses only the memory tier. (Without a memory tier every read misses.) If the disk
  /// is full, reads use the file, too. Puts return false. Opening is tried again with back-off;
  /// after it succeeds, the content of the memory tier is dropped.
  go_on = 0,
  throw_error = 1,  ///< Error with ErrorCode::unavailable; damaged for a file that is only read
};

/// The options of a cache. Every field has a default.
struct Options {
  // What is stored and what can be lost.
  Limits limits{};
  Timing timing{};
  Hooks hooks{};
  Durability durability = Durability::relaxed;
  Eviction eviction = Eviction::s3fifo;  ///< has the best hit ratios of these on real traces
  // Memory. Each of these is 64 KiB to 64 GiB. Together they bound most of the memory of a cache:
  // memory_bytes + queue_bytes + writer_cache_bytes + hint_bytes, and reader_cache_bytes for each
  // thread that reads the file at the same time.
  /// The memory tier: copies of entries that were read, in front of the file. 0: none. The memory
  /// is used only as entries are read. A change by another program is seen within a second (in
  /// manual mode: at the next run_maintenance or flush), a change by this process at once. With
  /// Access::read_only there is no memory tier.
  std::int64_t memory_bytes = 16 * MiB;
  /// The maximum size of writes that are accepted but not committed. A burst beyond it makes `put`
  /// wait. Removals that the file does not accept may take the same size again. If they would take
  /// more, all entries are removed instead.
  std::int64_t queue_bytes = 8 * MiB;
  /// The page cache of one reader connection. Readers beyond the number of processors (2 to 8)
  /// have at most 512 KiB each.
  std::int64_t reader_cache_bytes = 4 * MiB;
  std::int64_t writer_cache_bytes = 8 * MiB;  ///< page cache of the writer connection
  /// Remembered places of rows in the file, 8 bytes for each key. A read of a remembered row
  /// searches one tree instead of two. A wrong place costs one search more. 0: none. The memory is
  /// used only as rows are read and written.
  std::int64_t hint_bytes = 4 * MiB;
  // How the file is treated.
  Access access = Access::read_write;
  WhenUnavailable when_unavailable = WhenUnavailable::go_on;
  /// Overwrites deleted content with zeroes in the file when the log is copied to it; compact and
  /// close do that at once. The log itself contains old content until a clean close removes it.
  /// Values that were stored while this was not set may have left copies in pages that were split.
  /// Cost: writes.
  bool erase_securely = false;
  /// No other program may read the file while it is open. Otherwise SQLite maps FILE-shm, which all
  /// programs share, and a program that shortens FILE-shm (`cp BACKUP/* .` does) ends this one with
  /// SIGBUS. With `exclusive` there is no FILE-shm. Not for Access::read_only.
  bool exclusive = false;
};

/// One line for each group of settings, with defaults resolved. For logs.
[[nodiscard]] std::string to_string(const Options& options);
[[nodiscard]] std::string_view to_string(Durability value) noexcept;
[[nodiscard]] std::string_view to_string(Eviction value) noexcept;
/// The policy of that name, for programs that read it from a configuration file; nullopt if no
/// policy has that name. The reverse of to_string.
[[nodiscard]] std::optional<Eviction> eviction_from(std::string_view name) noexcept;

}  // namespace ashmemo
