#pragma once

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace ashmemo::store {

enum class Role : std::uint8_t { reader, writer };

struct ConnectionOptions {
  Role role = Role::reader;
  std::int64_t cache_bytes = 0;      // page cache of this connection
  bool synced = false;               // every commit goes through the device
  bool erase_securely = false;       // zeroes over deleted content
  std::int64_t max_value_bytes = 0;  // a longer value is refused, and not read either
  bool create = false;               // SQLite may create the file: for tests, with its own mode
};

/// What a WAL keeps of its size when it starts over: evicting needs that room on a full disk, and
/// overwriting is quicker than growing.
inline constexpr std::int64_t kWalKeptBytes = 4 * 1024 * 1024;
/// What is left of that when its space is asked back.
inline constexpr std::int64_t kWalLeastBytes = 1024 * 1024;

/// How long a connection waits for a lock. A reader meets one only while another program recovers
/// or closes the file; the writer must say `busy` soon, for its thread has other things to do.
inline constexpr int kBusyMilliseconds = 10;

/// The path as SQLite must be given it: builds with URI names switched on take "file:..." for one.
[[nodiscard]] std::string plain_name(const std::string& path);

/// One SQLite connection with all our settings. They are in force before the first statement, so
/// that nothing that a file holds is ever executed. Used by one thread at a time.
class Connection {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> open(
      const std::string& path, const ConnectionOptions& options);

  [[nodiscard]] SQLite::Database& database() noexcept { return database_; }
  [[nodiscard]] sqlite3* handle() const noexcept { return database_.getHandle(); }
  /// Raises `max_value_bytes` to this, if it is more.
  void allow_values_of(std::int64_t bytes) noexcept;
  [[nodiscard]] const ConnectionOptions& options() const noexcept { return options_; }

 private:
  Connection(const std::string& path, const ConnectionOptions& options);
  void restrict();
  void set_pragmas();

  ConnectionOptions options_;
  SQLite::Database database_;
};

}  // namespace ashmemo::store
