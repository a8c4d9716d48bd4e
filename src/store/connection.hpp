#pragma once

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/platform.hpp"
#include "base/result.hpp"

namespace ashmemo::store {

enum class Role : std::uint8_t { reader, writer };

struct ConnectionOptions {
  Role role = Role::reader;
  std::int64_t cache_bytes = 0;      // page cache of this connection
  bool synced = false;               // each commit is synced to the device
  bool erase_securely = false;       // overwrites deleted content with zeroes
  std::int64_t max_value_bytes = 0;  // longer values are neither written nor read
  bool create = false;               // for tests: SQLite creates the file with its own mode
  bool exclusive = false;            // the process locks the file, and there is no FILE-shm
  // Never writes FILE-shm, which must exist. While no program writes the file, the index of the log
  // is in the memory of this connection. SQLite then lets no connection of this process write.
  bool keeps_shm = false;
  // Reads the file without locks, log and index, and creates no file beside it. Only while no
  // program writes the file.
  bool immutable = false;
};

/// The size that a WAL keeps when it starts over: evicting needs this space on a full disk, and
/// overwriting is faster than growing.
inline constexpr std::int64_t kWalKeptBytes = 4 * 1024 * 1024;
/// The size that it keeps when the cache gives space back.
inline constexpr std::int64_t kWalLeastBytes = 1024 * 1024;

/// How long a connection waits for a lock. A reader finds a lock only while another program
/// recovers or closes the file. The writer reports `busy` soon, because its thread has other work.
inline constexpr int kBusyMilliseconds = 10;

/// SQLite calls the busy handler in a checkpoint that needs all readers to finish. This one never
/// waits.
class NoWaiting {
 public:
  explicit NoWaiting(sqlite3* handle) : handle_(handle) { sqlite3_busy_timeout(handle_, 0); }
  ~NoWaiting() { sqlite3_busy_timeout(handle_, kBusyMilliseconds); }
  NoWaiting(const NoWaiting&) = delete;
  NoWaiting& operator=(const NoWaiting&) = delete;

 private:
  sqlite3* handle_;
};

/// The state of FILE if everything is in it: no log or journal has content. Then a reader may open
/// it as immutable, for as long as this state remains. nullopt otherwise.
[[nodiscard]] std::optional<base::FileState> state_at_rest(const std::string& path);
/// False once FILE has changed since this state, or has a log. Returns true if the path does not
/// lead to that file any more, because then nothing is known: the program may have changed its root
/// directory or given up its rights.
[[nodiscard]] bool is_still_at_rest(const std::string& path, const base::FileState& state) noexcept;

/// The path in the form for SQLite: builds with URI names take "file:..." for a URI.
[[nodiscard]] std::string plain_name(const std::string& path);

/// One SQLite connection with all our settings. They are set before the first statement, so that
/// code in a file is never executed. Used by one thread at a time.
class Connection {
 public:
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> open(
      const std::string& path, const ConnectionOptions& options);
  /// Opens the file, but does not read it. Call `complete` before the first statement that names a
  /// table, or that writes.
  [[nodiscard]] static base::Result<std::unique_ptr<Connection>> open_unread(
      const std::string& path, const ConnectionOptions& options);
  /// Reads the schema, and makes the settings that need it. Does nothing the second time.
  [[nodiscard]] base::Status complete();

  [[nodiscard]] SQLite::Database& database() noexcept { return database_; }
  [[nodiscard]] sqlite3* handle() const noexcept { return database_.getHandle(); }
  /// Raises `max_value_bytes` to this value if it is larger.
  void allow_values_of(std::int64_t bytes) noexcept;
  [[nodiscard]] const ConnectionOptions& options() const noexcept { return options_; }

 private:
  Connection(const std::string& path, const ConnectionOptions& options);
  void restrict();
  void set_pragmas();
  void set_pragmas_with_schema();

  ConnectionOptions options_;
  const std::string doing_;  // for messages
  bool is_complete_ = false;
  SQLite::Database database_;
};

}  // namespace ashmemo::store
