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

// What is compared: each system behind one small interface, so that all do the same work. A value
// is copied out into a std::string; every entry has a ttl, which is stored, and checked when it is
// read.

namespace ashmemo::bench {

/// How long entries live: past the end of every measurement.
inline constexpr std::chrono::hours kTtl{24};

/// Rows of a transaction, wherever somebody has to decide.
inline constexpr std::size_t kBatch = 1'000;

struct Setup {
  std::size_t entries = 0;  ///< that the file holds, or is to hold
  std::size_t value_bytes = 0;
  std::optional<std::int64_t> tier_bytes{};  ///< of ashmemo's memory tier; not set: its default
  std::int64_t page_cache_bytes = 4 << 20;   ///< of one that reads; twice that writes
  bool evicting = false;                     ///< keep at most `entries`
};

using Pair = std::pair<std::string, std::string>;
using Values = std::vector<std::optional<std::string>>;

/// What one thread reads with.
class Reader {
 public:
  Reader() = default;
  virtual ~Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  /// Nothing where there is no live entry.
  [[nodiscard]] virtual std::optional<std::string> get(std::string_view key) = 0;
  /// In the order asked.
  [[nodiscard]] virtual Values get_many(std::span<const std::string_view> keys);
};

/// An open system. Writing may be done by several threads.
class System {
 public:
  System() = default;
  virtual ~System() = default;
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  [[nodiscard]] virtual std::unique_ptr<Reader> reader() = 0;
  virtual void put(const std::string& key, const std::string& value) = 0;
  virtual void put_many(std::span<const Pair> pairs);
  /// Returns when everything that was put is in the file.
  virtual void flush() {}
  /// See SystemType::touches.
  virtual void touch(const std::string& key);
  /// The entries in the file, as the system itself counts them.
  [[nodiscard]] virtual std::int64_t count() = 0;
  /// Since it was opened; 0 where it does not say.
  [[nodiscard]] virtual std::int64_t commits() { return 0; }
};

struct SystemType {
  const char* name;
  /// Opens or creates it in a directory, which is there. Null: not built, for want of its library.
  std::unique_ptr<System> (*open)(const std::string& directory, const Setup& setup);
  bool touches;          ///< knows when an entry was last read
  bool evicts;           ///< keeps within a limit by itself
  const char* settings;  ///< what differs from its defaults, for people
};

/// In the order of the table; ashmemo first, raw SQLite second.
[[nodiscard]] std::span<const SystemType> system_types();
[[nodiscard]] const SystemType& system_type(std::string_view name);

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

/// For systems that know no ttl: eight bytes in front of the value.
void append_with_expiry(std::string& to, std::string_view value, std::int64_t expires_at);
/// The value behind them, unless its time is over.
[[nodiscard]] std::optional<std::string> value_if_live(std::string_view stored, std::int64_t now);

inline void require(bool done, const char* what) {
  if (!done) throw std::runtime_error(what);
}

}  // namespace ashmemo::bench
