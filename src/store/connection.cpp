#include "store/connection.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <limits>

#include "store/sqlite_error.hpp"

namespace ashmemo::store {
namespace {

// Additional bytes for key, record version and header, because SQLite applies its limit to the
// whole row in some cases.
constexpr std::int64_t kBesideTheValue = 64 * 1024;

int open_flags(const ConnectionOptions& options) {
  const int mode = options.role == Role::reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  const int create = options.create ? SQLITE_OPEN_CREATE : 0;
  const int uri = options.immutable || options.keeps_shm ? SQLITE_OPEN_URI : 0;
  return mode | create | uri | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
         SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
}

// This VFS keeps the index of the log in the memory of the process, where all its connections use
// it. The first connection must be a writer, because a reader does not lock the file.
const char* vfs_of(const ConnectionOptions& options) {
  return options.exclusive ? "unix-excl" : nullptr;
}

int length_limit(std::int64_t max_value_bytes) {
  constexpr std::int64_t max = std::numeric_limits<int>::max();
  const auto value = std::clamp<std::int64_t>(max_value_bytes, 0, max - kBesideTheValue);
  return static_cast<int>(value + kBesideTheValue);
}

// In a URI all characters except these are written as %XX.
std::string uri_of(const std::string& path, std::string_view parameter) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string uri = path.starts_with('/') ? "file://" : "file:";
  for (const char each : path) {
    if (kPlain.find(each) != std::string_view::npos) {
      uri += each;
    } else {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(each));
    }
  }
  return uri.append(parameter);
}

std::string name_for(const std::string& path, const ConnectionOptions& options) {
  if (options.immutable) return uri_of(path, "?immutable=1");
  if (options.keeps_shm) return uri_of(path, "?readonly_shm=1");
  return plain_name(path);
}

// Whether there are changes that are not yet in the file, or that must be undone. `if_unknown`: the
// answer after an error of the system.
bool has_log(const std::string& path, bool if_unknown) {
  for (const char* const suffix : {"-wal", "-journal"}) {
    const auto state = base::inspect(path + suffix);
    if (state ? state->bytes > 0 : if_unknown) return true;
  }
  return false;
}

void configure(sqlite3* handle, int setting, int value) {
  const int rc = sqlite3_db_config(handle, setting, value, nullptr);
  if (rc != SQLITE_OK) throw SQLite::Exception(handle, rc);
}

}  // namespace

std::string plain_name(const std::string& path) {
  const bool is_special = path.starts_with("file:") || path == ":memory:";
  return is_special ? "./" + path : path;
}

// The state is taken before the logs are looked at. Otherwise it could be the state in the middle
// of a move of a new log into FILE.
std::optional<base::FileState> state_at_rest(const std::string& path) {
  const auto state = base::inspect(path);
  if (!state || has_log(path, true)) return std::nullopt;
  return *state;
}

// Does not compare the other members: `owned_by_us` changes when the program gives up its rights.
bool is_still_at_rest(const std::string& path, const base::FileState& state) noexcept try {
  const auto now = base::inspect(path);
  if (!now || now->type == base::FileType::missing) return true;
  if (!(now->identity == state.identity)) return true;
  if (now->bytes != state.bytes || now->changed_at != state.changed_at) return false;
  return !has_log(path, false);
} catch (...) {
  return true;  // out of memory: nothing is known
}

base::Result<std::unique_ptr<Connection>> Connection::open(const std::string& path,
                                                           const ConnectionOptions& options) {
  auto connection = open_unread(path, options);
  if (!connection) return connection;
  if (const auto completed = (*connection)->complete(); !completed) return completed.failure();
  return connection;
}

base::Result<std::unique_ptr<Connection>> Connection::open_unread(
    const std::string& path, const ConnectionOptions& options) {
  auto connection = guarded(nullptr, fmt::format("opening {}", path), [&] {
    return std::unique_ptr<Connection>(new Connection(path, options));
  });
  if (!connection) return connection;
  Connection& opened = **connection;
  const auto set = guarded(opened.handle(), opened.doing_, [&] {
    opened.restrict();
    opened.set_pragmas();
  });
  if (!set) return set.failure();
  return connection;
}

base::Status Connection::complete() {
  if (is_complete_) return {};
  return guarded(handle(), doing_, [&] {
    set_pragmas_with_schema();
    is_complete_ = true;
  });
}

Connection::Connection(const std::string& path, const ConnectionOptions& options)
    : options_(options),
      doing_(fmt::format("opening {}", path)),
      database_(name_for(path, options).c_str(), open_flags(options), kBusyMilliseconds,
                vfs_of(options)) {}

// Uses C functions, because a statement would read the schema first.
void Connection::restrict() {
  sqlite3* const db = handle();
  configure(db, SQLITE_DBCONFIG_DEFENSIVE, 1);
  configure(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0);
  configure(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0);
  configure(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0);
  configure(db, SQLITE_DBCONFIG_ENABLE_FKEY, 0);
  // Also if the next step fails, because SQLite may then close the connection and delete a log that
  // it could not read.
  configure(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1);
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, length_limit(options_.max_value_bytes));
  sqlite3_wal_autocheckpoint(db, 0);
}

void Connection::allow_values_of(std::int64_t bytes) noexcept {
  if (bytes <= options_.max_value_bytes) return;
  options_.max_value_bytes = bytes;
  sqlite3_limit(handle(), SQLITE_LIMIT_LENGTH, length_limit(bytes));
}

void Connection::set_pragmas() {
  database_.exec(
      "PRAGMA mmap_size=0;"
      "PRAGMA cell_size_check=ON;"
      "PRAGMA temp_store=MEMORY;");
  if (options_.role == Role::reader) return;
  database_.exec(
      fmt::format("PRAGMA secure_delete={};"
                  "PRAGMA journal_size_limit={};",
                  options_.erase_securely ? "ON" : "OFF", kWalKeptBytes));
}

void Connection::set_pragmas_with_schema() {
  const std::int64_t cache_kib = std::clamp<std::int64_t>(options_.cache_bytes / 1024, 1, 1 << 30);
  database_.exec(fmt::format("PRAGMA cache_size=-{}", cache_kib));
  if (options_.role == Role::reader) return;
  database_.exec(options_.synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  configure(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0);
}

}  // namespace ashmemo::store
