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
// here. All of it is checked before anything is opened: an impossible value is an Error with
// ErrorCode::invalid_options that names the field and the value. The order of the fields is the
// order of this documentation and never changes, so that designated initializers keep compiling.

namespace ashmemo {

inline constexpr std::int64_t KiB = 1024;
inline constexpr std::int64_t MiB = 1024 * KiB;
inline constexpr std::int64_t GiB = 1024 * MiB;

struct Unlimited {};
/// No limit at all, where a Limit may be that.
inline constexpr Unlimited unlimited{};

/// A number of entries or bytes, or `unlimited`, or not set (then the documented default holds).
/// 0 is a limit too: nothing is kept.
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
  /// The number; for an unlimited one the largest there is.
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

/// How much the cache may keep. Both totals hold at once; whatever passes one of them is evicted
/// right after the commit that passed it. May be changed while the cache is open
/// (`Cache::set_limits`).
struct Limits {
  Limit max_entries{};  ///< entries; default: unlimited
  Limit max_bytes{};    ///< bytes, by what entries cost in the file; default: 256 MiB
  /// Bytes of one entry; a larger one is refused and counted, and nothing is evicted for it. Always
  /// bounded, by 1 GiB at most. Default: an eighth of max_bytes, at most 64 MiB.
  Limit max_entry_bytes{};
};

/// When things happen. All intervals run on the steady clock.
struct Timing {
  /// One entry's `accessed_at` and `access_count` are written at most this often; reads in between
  /// are still counted, and written with the next touch (of an entry that is read thousands of
  /// times a second not every one). 0: with every flush. Costs: writes.
  Duration touch_interval = std::chrono::minutes(1);
  /// How long an accepted `relaxed` write waits for others to share its commit, at most: the worker
  /// writes it sooner when it has other work, or looks for some. Costs: what a crash can lose,
  /// against one commit's work, after which every reader's page cache starts empty.
  Duration flush_interval = std::chrono::milliseconds(100);
  /// How often the idle worker looks for work nobody announced: a safety net.
  Duration maintenance_interval = std::chrono::minutes(1);
  /// The longest that a call waits for a store that does not take its write. Costs: the caller's
  /// time.
  Duration max_wait = std::chrono::milliseconds(100);
  /// How long `close` goes on trying to write what was accepted; the rest is dropped and counted.
  Duration close_wait = std::chrono::seconds(5);
};

/// Who does the worker's work.
enum class WorkerMode : std::uint8_t {
  thread = 0,  ///< one thread, started by opening and stopped by closing
  /// Nobody, until somebody calls `run_maintenance` or `flush`; a call that would have to wait for
  /// the worker does its work itself, or waits for the thread that is doing it. For tests, and for
  /// programs that own all their threads.
  manual = 1,
};

/// What a program can put in the place of the cache's own parts, and what it wants to be told.
struct Hooks {
  std::shared_ptr<Clock> clock{};  ///< default: system_clock()
  std::shared_ptr<Executor>
      executor{};  ///< runs background refreshes; default: one thread, started when first needed
  /// Told of faults and changes of state (see Notice). Called by the worker, never under a lock;
  /// what it throws is counted and dropped. May call the cache: nothing waits there.
  std::function<void(const Notice&)> on_error{};
  /// Told of every entry that leaves the file (see Removal), after the commit. As on_error.
  std::function<void(const Removal&)> on_removal{};
  WorkerMode worker = WorkerMode::thread;
};

/// What an accepted write has survived when `put` returns.
enum class Durability : std::uint8_t {
  relaxed = 0,  ///< taken: a crash of the process loses what was not yet committed
  commit = 1,   ///< in the file: survives a crash of the process, not always a power cut
  power = 2,    ///< synced: survives a power cut
};

/// Which entry leaves first when a limit is passed. Expired ones always go before any other.
enum class Eviction : std::uint8_t {
  none = 0,    ///< nobody: writes that would pass a limit are refused
  fifo = 1,    ///< the one stored first
  lru = 2,     ///< the one not read for longest
  clock = 3,   ///< the oldest that was not read since it was last passed over (second chance)
  s3fifo = 4,  ///< what was read only once leaves early (S3-FIFO, Yang et al., SOSP 2023)
};

/// How the file is opened.
enum class Access : std::uint8_t {
  read_write = 0,
  /// For tools beside a running application: no lock, no worker, nothing written, touches not
  /// counted. What the application commits is seen at once; what concerns more than single entries
  /// (new and invalidated calculations, Stats::entries and bytes, another file in the place of this
  /// one) by the next call after a second at most. Where there is no file yet, or none any more,
  /// calls look for it again, with back-off.
  read_only = 1,
};

/// What opening does when there is no place for the file (missing folder, read-only, full,
/// failing).
enum class WhenUnavailable : std::uint8_t {
  /// Open all the same, and go on with what the memory tier has room for (without one, every read
  /// misses). Puts answer false; opening is tried again with back-off, and then what memory had is
  /// forgotten.
  go_on = 0,
  throw_error = 1,  ///< Error with ErrorCode::unavailable; damaged for a file that is only read
};

/// How a cache is opened. Every field has a default; all are checked before anything is opened, and
/// an impossible one is an Error (invalid_options) that names the field and its value. The order of
/// the fields never changes.
struct Options {
  // What is kept and what can be lost.
  Limits limits{};
  Timing timing{};
  Hooks hooks{};
  Durability durability = Durability::relaxed;
  Eviction eviction = Eviction::s3fifo;  ///< has the best hit ratios of these on real traces
  // What it costs in memory.
  // Each of these is 64 KiB to 64 GiB.
  /// The memory tier: copies of entries that were read, in front of the file. 0: none. All of it is
  /// used only once so much was read. A change by another program is seen within a second (in
  /// manual mode: at the next run_maintenance or flush); this process sees its own at once.
  std::int64_t memory_bytes = 16 * MiB;
  /// Bound of the writes accepted and not yet committed: what a burst may bring before put waits.
  /// Removals that the file does not take may take as much again; if they would take more, all
  /// entries are removed instead.
  std::int64_t queue_bytes = 8 * MiB;
  std::int64_t reader_cache_bytes = 4 * MiB;  ///< page cache of one reader connection
  std::int64_t writer_cache_bytes = 8 * MiB;  ///< page cache of the writer connection
  // How the file is treated.
  Access access = Access::read_write;
  WhenUnavailable when_unavailable = WhenUnavailable::go_on;
  /// Overwrite deleted content with zeroes: in the file when the log is moved into it (compact and
  /// close do that at once); the log itself has old content until a clean close removes it. Values
  /// stored while it was not set may have left copies in pages that were split. Costs writes.
  bool erase_securely = false;
};

/// One line a group of settings, defaults resolved: for logs.
[[nodiscard]] std::string to_string(const Options& options);
[[nodiscard]] std::string_view to_string(Durability value) noexcept;
[[nodiscard]] std::string_view to_string(Eviction value) noexcept;
/// The policy of that name, for programs that read it from a configuration file; nullopt: there is
/// none. The reverse of to_string.
[[nodiscard]] std::optional<Eviction> eviction_from(std::string_view name) noexcept;

}  // namespace ashmemo
