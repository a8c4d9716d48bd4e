#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/suite/survives.hpp"

// One small interface for all compared systems, so that all do the same work. A read copies the
// value into a std::string. Every entry has a ttl, which is stored and checked at each read.

namespace ashmemo::bench {

/// The ttl of all entries. It ends after every measurement.
inline constexpr std::chrono::hours kTtl{24};

/// Rows per transaction, for systems in which the caller chooses it.
inline constexpr std::size_t kBatch = 1'000;

struct Setup {
  std::size_t entries = 0;  ///< in the file, or that will be put
  std::size_t value_bytes = 0;
  std::optional<std::int64_t> tier_bytes{};  ///< memory tier of ashmemo; nullopt: the default
  std::int64_t page_cache_bytes = 4 << 20;   ///< of a reader; a writer has twice as much
  bool evicting = false;                     ///< limit the file to `entries`
  /// What a put must survive when it has returned. A system may promise more, see
  /// SystemType::put_survives.
  Survives survives = Survives::nothing;
};

using Pair = std::pair<std::string, std::string>;
using Values = std::vector<std::optional<std::string>>;

/// Reads from a system, on one thread.
class Reader {
 public:
  Reader() = default;
  virtual ~Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// nullopt if there is no live entry.
  [[nodiscard]] virtual std::optional<std::string> get(std::string_view key) = 0;
  /// Values in the order of the keys.
  [[nodiscard]] virtual Values get_many(std::span<const std::string_view> keys);
};

/// An open system. Several threads may write at once.
class System {
 public:
  System() = default;
  virtual ~System() = default;
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  [[nodiscard]] virtual std::unique_ptr<Reader> reader() = 0;
  virtual void put(const std::string& key, const std::string& value) = 0;
  virtual void put_many(std::span<const Pair> pairs);
  /// Returns when all previous writes are in the file, so that they survive a process crash.
  virtual void flush() {}
  /// Marks an entry as read. See SystemType::touches.
  virtual void touch(const std::string& key);
  /// The number of entries in the file, as the system reports it.
  [[nodiscard]] virtual std::int64_t count() = 0;
  /// Commits since it was opened. 0 if the system does not report them.
  [[nodiscard]] virtual std::int64_t commits() { return 0; }
};

struct SystemType {
  const char* name;
  /// Opens or creates the system in an existing directory. Null if its library is not installed.
  std::unique_ptr<System> (*open)(const std::string& directory, const Setup& setup);
  bool touches;           ///< records when an entry was last read
  bool evicts;            ///< evicts entries to stay within a limit
  Survives put_survives;  ///< what a put survives with the default Setup
  Survives most;          ///< the most that Setup::survives may ask for
  const char* settings;   ///< printed: the settings that differ from the defaults
};

/// All systems in the order of the table: ashmemo first, plain SQLite second.
[[nodiscard]] std::span<const SystemType> system_types();
[[nodiscard]] const SystemType& system_type(std::string_view name);

/// What a put survives when it has returned.
[[nodiscard]] Survives after_put(const SystemType& type, const Setup& setup);
/// What a put survives after the flush that follows it.
[[nodiscard]] Survives after_flush(const SystemType& type, const Setup& setup);

extern const SystemType kAshmemo;
extern const SystemType kRawSqlite;
extern const SystemType kLmdb;
extern const SystemType kLeveldb;
extern const SystemType kPersistentCache;

/// Microseconds since 1970.
[[nodiscard]] inline std::int64_t wall_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}
[[nodiscard]] inline std::int64_t expiry_from_now() {
  return wall_now() + std::chrono::microseconds(kTtl).count();
}

/// Stores the time of expiry in eight bytes before the value, for systems without a ttl.
void append_with_expiry(std::string& to, std::string_view value, std::int64_t expires_at);
/// The value after those eight bytes; nullopt if it has expired.
[[nodiscard]] std::optional<std::string> value_if_live(std::string_view stored, std::int64_t now);

inline void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

}  // namespace ashmemo::bench
