#include "store/open.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "base/test_point.hpp"
#include "store/claim.hpp"
#include "store/connection.hpp"
#include "store/quarantine.hpp"
#include "store/schema.hpp"
#include "store/sqlite_error.hpp"
#include "store/sqlite_store.hpp"

namespace ashmemo::store {
namespace {

using base::Failure;
using base::FailureKind;
using State = SchemaVerdict::State;

// The connections to an intact file, or the reason to quarantine the file.
struct Opened {
  Connections connections;
  std::string damage;
};

ConnectionOptions writer_options(const OpenOptions& options) {
  ConnectionOptions wanted;
  wanted.role = Role::writer;
  wanted.cache_bytes = options.writer_cache_bytes;
  wanted.synced = options.synced;
  wanted.erase_securely = options.erase_securely;
  wanted.exclusive = options.exclusive;
  wanted.max_value_bytes = options.max_entry_bytes;
  return wanted;
}

// Whether SQLite works in this process, shown with a new database in memory. A limit of memory, an
// automatic extension or a replaced SQL function of the program can make SQLite fail with any file.
// Then nothing is known about the file.
base::Status check_process() {
  constexpr int kMemory = 1024 * 1024;  // far more than opening an intact file takes
  void* const memory = sqlite3_malloc(kMemory);
  sqlite3_free(memory);
  const auto seen = guarded(nullptr, "checking SQLite", [&]() -> base::Result<SchemaVerdict> {
    if (memory == nullptr) return out_of_memory("checking SQLite");
    SQLite::Database database(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (const auto created = create_schema(database); !created) return created.failure();
    return compare_schema(database);
  });
  if (seen && seen->state == State::ours) return {};
  return Failure{
      FailureKind::other, seen ? 0 : seen.failure().sqlite_code,
      fmt::format("SQLite does not work in this process ({}), so the file was not changed",
                  seen ? seen->why : seen.failure().what)};
}

// A schema that SQLite cannot read gives SQLITE_ERROR, and a text of the schema that claims an
// impossible length gives SQLITE_NOMEM. So both may be damage.
bool may_be_damage(const Failure& failure) {
  const int code = failure.sqlite_code & 0xFF;
  return failure.kind == FailureKind::corrupt || code == SQLITE_ERROR || code == SQLITE_NOMEM;
}

base::Result<Opened> failed(const Failure& failure, const OpenOptions& options) {
  const bool is_damage =
      may_be_damage(failure) || (options.gives_up_reading && is_unreadable(failure));
  if (is_damage) return Opened{{}, failure.what};
  return failure;
}

// While a file is only checked, closing the connection must not move the WAL into it: the file may
// be foreign, or it may be quarantined.
void keep_wal_at_close(Connection& connection, bool keep) {
  sqlite3_db_config(connection.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

Failure not_ours(const std::string& path, const std::string& why) {
  return {
      FailureKind::not_ours, 0,
      fmt::format("'{}' is an SQLite database, but not a cache file: {}. It was left untouched: "
                  "choose another path, or move it away",
                  path, why)};
}

// SQLite opens a file that may not be written for reading, and does not report the error.
base::Status check_writable(const std::string& path, Connection& connection) {
  if (sqlite3_db_readonly(connection.handle(), "main") == 0) return {};
  return Failure{FailureKind::io, 0, fmt::format("'{}' may not be written", path), EACCES};
}

// If the log could only be opened for reading, it stays read-only for the life of the connection.
base::Status check_log_writable(const std::string& path, Connection& connection) {
  const int rc =
      sqlite3_exec(connection.handle(), "BEGIN IMMEDIATE; ROLLBACK", nullptr, nullptr, nullptr);
  if ((rc & 0xFF) != SQLITE_READONLY) return {};
  return Failure{FailureKind::io, rc, fmt::format("'{}-wal' may not be written", path), EACCES};
}

base::Result<SchemaVerdict> create(Connection& connection) {
  if (const auto created = create_schema(connection.database()); !created) {
    return created.failure();
  }
  return compare_schema(connection.database());
}

// Upgrades the file, and moves that into FILE at once: only then FILE itself has an id that shows
// which logs do not belong to it. If the move fails, a later checkpoint makes it.
base::Result<SchemaVerdict> upgrade(Connection& connection) {
  auto upgraded = upgrade_schema(connection.database());
  if (upgraded && upgraded->state == State::ours) {
    sqlite3_wal_checkpoint_v2(connection.handle(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr,
                              nullptr);
  }
  return upgraded;
}

// Creates the schema in a new file. A file that is not `ours` does not change.
base::Result<SchemaVerdict> prepare_schema(Connection& connection) {
  auto verdict = compare_schema(connection.database());
  if (verdict && verdict->state == State::empty) verdict = create(connection);
  if (verdict && verdict->state == State::older) verdict = upgrade(connection);
  if (!verdict || verdict->state != State::ours) return verdict;
  if (const auto switched = ensure_wal(connection.database()); !switched) {
    return switched.failure();
  }
  return verdict;
}

// Opens the log. If a program was killed, this also recovers the log or undoes a transaction.
base::Status open_log(const std::string& path, Connection& connection) {
  return guarded(connection.handle(), fmt::format("opening {}", path),
                 [&] { connection.database().execAndGet("PRAGMA schema_version"); });
}

bool has_open_log(Connection& connection) {
  sqlite3_file* log = nullptr;
  const int rc =
      sqlite3_file_control(connection.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  return rc == SQLITE_OK && log != nullptr && log->pMethods != nullptr;
}

// A reader that has found the file as we made it. SQLite reads the schema for each connection, and
// that takes long. So this connection also answers the first reads, and the writer reads the schema
// at its first use. Null: the connection of the writer must find out what the file is.
std::unique_ptr<Connection> try_reader(const std::string& path, const OpenOptions& options,
                                       Connection& writer) {
  // A program may begin a transaction on each new connection. Then the writer fails.
  const bool is_in_transaction = sqlite3_get_autocommit(writer.handle()) == 0;
  if (!has_open_log(writer) || is_in_transaction) return nullptr;
  auto reader = Connection::open(path, reader_options(options));
  if (!reader) return nullptr;
  const auto verdict = compare_schema((*reader)->database());
  return verdict && verdict->state == State::ours ? std::move(*reader) : nullptr;
}

// Creates or upgrades the schema if necessary. Returns why the file must be quarantined; empty: it
// is ours.
base::Result<std::string> prepare_file(const std::string& path, Connection& connection) {
  const auto completed = connection.complete();
  keep_wal_at_close(connection, true);
  if (!completed) return completed.failure();
  const auto verdict = prepare_schema(connection);
  if (!verdict) return verdict.failure();
  switch (verdict->state) {
    case State::ours:
      return std::string();
    case State::foreign:
      return not_ours(path, verdict->why);
    case State::empty:
    case State::newer:
    case State::older:
    case State::changed:
      break;
  }
  return verdict->why;
}

base::Result<Opened> open_connections(const std::string& path, const OpenOptions& options) {
  auto writer = Connection::open_unread(path, writer_options(options));
  if (!writer) return failed(writer.failure(), options);
  if (const auto opened = open_log(path, **writer); !opened) {
    return failed(opened.failure(), options);
  }
  if (const auto writable = check_writable(path, **writer); !writable) return writable.failure();
  auto reader = try_reader(path, options, **writer);
  if (!reader) {
    auto damage = prepare_file(path, **writer);
    if (!damage) return failed(damage.failure(), options);
    if (!damage->empty()) return Opened{{}, std::move(*damage)};
  }
  if (const auto writable = check_log_writable(path, **writer); !writable) {
    return writable.failure();
  }
  keep_wal_at_close(**writer, false);
  return Opened{{std::move(*writer), std::move(reader)}, {}};
}

// Why the file must be quarantined before it is opened; empty if it looks intact.
std::string damage_of(const ClaimedFile& claim, const OpenOptions& options) {
  const bool is_marked_corrupt =
      !options.found_corrupt.empty() && claim.identity() == options.corrupt_file;
  return is_marked_corrupt ? options.found_corrupt : claim.damage();
}

bool has_damage(const base::Result<Opened>& opened) { return opened && !opened->damage.empty(); }

// Replaces a damaged file by a new one. If the new file fails, too, the fault is not in the old
// file, which then returns to its place.
base::Result<Opened> replace(ClaimedFile& claim, const OpenOptions& options,
                             const std::string& damage) {
  std::string renamed_to;
  const auto report = [&] {
    if (options.on_quarantine) options.on_quarantine(claim.path(), renamed_to, damage);
  };
  if (const auto done = claim.quarantine(options.clock->wall_now(), &renamed_to); !done) {
    if (!renamed_to.empty()) report();
    return done.failure();
  }
  auto opened = open_connections(claim.path(), options);
  if (opened && !has_damage(opened)) {
    keep_one_copy(claim.path(), renamed_to, options.corrupt_file_is_new);
    report();
    return opened;
  }
  const Failure failure =
      opened ? Failure{FailureKind::other, 0, opened->damage} : opened.failure();
  const auto restored = claim.restore(renamed_to);
  if (!restored) report();
  return Failure{
      failure.kind, failure.sqlite_code,
      fmt::format("it is damaged ({}), and a new file fails, too: {}{}", damage, failure.what,
                  restored ? "" : "; the file is now '" + renamed_to + "'")};
}

// A file is damaged only if its content shows that on two connections, while SQLite works in this
// process. `found_corrupt` means that two connections have seen damage during use. SQLite does not
// open a file that may not be written, because it would create a log with its mode, which could not
// be written later either.
base::Result<Opened> open_or_replace(ClaimedFile& claim, const OpenOptions& options) {
  std::string damage = damage_of(claim, options);
  if (damage.empty()) {
    if (const auto& forbidden = claim.forbidden()) return *forbidden;
    auto opened = open_connections(claim.path(), options);
    if (!has_damage(opened)) return opened;
    if (const auto works = check_process(); !works) return works.failure();
    opened = open_connections(claim.path(), options);
    if (!has_damage(opened)) return opened;
    damage = opened->damage;
  }
  if (const auto works = check_process(); !works) return works.failure();
  return replace(claim, options, damage);
}

void report_exposed(const ClaimedFile& claim, const OpenOptions& options) {
  if (claim.others_may_write() && options.on_exposed) options.on_exposed(claim.path());
}

base::Result<std::unique_ptr<Store>> open_for_writing(const OpenOptions& options) {
  auto claim = ClaimedFile::for_writing(options.path, options.gives_up_reading);
  if (!claim) return claim.failure();
  auto opened = open_or_replace(**claim, options);
  if (!opened) return opened.failure();
  ASHMEMO_TEST_POINT("open: has connections");
  if (const auto begun = (*claim)->begin_use(options.exclusive); !begun) return begun.failure();
  // Another file may have appeared at the path.
  if (const auto found = (*claim)->check_in_place(); !found) return found.failure();
  report_exposed(**claim, options);
  return make_sqlite_store(std::move(*claim), std::move(opened->connections), options);
}

// Closes this connection, because readers open their own at the first read.
base::Status check_schema_for_reading(const std::string& path, const ConnectionOptions& wanted) {
  const auto connection = Connection::open(path, wanted);
  if (!connection) return connection.failure();
  const auto verdict = compare_schema((*connection)->database());
  if (!verdict) return verdict.failure();
  if (verdict->state == State::ours) return {};
  if (verdict->state == State::foreign) return not_ours(path, verdict->why);
  if (verdict->state == State::empty) {
    return Failure{FailureKind::unavailable, 0, "there is no table in the file"};
  }
  if (verdict->state == State::older) return Failure{FailureKind::unavailable, 0, verdict->why};
  return Failure{FailureKind::corrupt, 0, verdict->why};
}

// An immutable file is read without a lock. So the answer counts only if no other program changed
// the file meanwhile.
base::Status check_for_reading(const std::string& path, const OpenOptions& options) {
  ConnectionOptions wanted = reader_options(options);
  constexpr int kMaxTries = 10;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    const auto at_rest = state_at_rest(path);
    wanted.immutable = at_rest.has_value();
    auto checked = check_schema_for_reading(path, wanted);
    if (!at_rest || is_still_at_rest(path, *at_rest)) return checked;
  }
  return Failure{FailureKind::busy, 0, "another program changed the file while it was opened"};
}

base::Result<std::unique_ptr<Store>> open_to_read(const OpenOptions& options) {
  auto claim = ClaimedFile::for_reading(options.path);
  if (!claim) return claim.failure();
  if (const auto checked = check_for_reading((*claim)->path(), options); !checked)
    return checked.failure();
  report_exposed(**claim, options);
  return make_sqlite_store(std::move(*claim), {}, options);
}

base::Result<std::unique_ptr<Store>> open_for_reading(OpenOptions options) {
  auto store = open_to_read(options);
  if (store || store.failure().kind != FailureKind::full) return store;
  options.keeps_shm = true;
  auto without_space = open_to_read(options);
  return without_space ? std::move(without_space) : std::move(store);
}

// Whether SQLite locks its own data. It does not if it was built or configured for one thread. Then
// no connection has a mutex.
bool has_threads() {
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_FULLMUTEX;
  sqlite3* probe = nullptr;
  const bool is_open = sqlite3_open_v2(":memory:", &probe, kFlags, nullptr) == SQLITE_OK;
  const bool has_mutex = is_open && sqlite3_db_mutex(probe) != nullptr;
  sqlite3_close(probe);
  return has_mutex || !is_open;  // not open: no memory
}

Failure unusable(const std::string& path) {
  return {
      FailureKind::unusable, 0,
      fmt::format("cannot open the cache '{}': SQLite is built or configured for one thread, and "
                  "a cache uses several; use a build with SQLITE_THREADSAFE=1 or 2, and do not "
                  "call sqlite3_config(SQLITE_CONFIG_SINGLETHREAD)",
                  path)};
}

constexpr std::string_view kLogAdvice =
    "if its log has content, its folder must be writable: close the cache where it can be written, "
    "or copy it there together with its log";

// Advice for a file that the system refused to read or write.
std::string_view advice_for_io(int system_error, bool read_only) {
  switch (system_error) {
    case 0:
    case EACCES:
    case EPERM:
      return read_only
                 ? kLogAdvice
                 : "check that it, its folder and the files beside it may be written by this user";
    case ENOENT:
      return read_only ? kLogAdvice : "check its disk";  // FILE-shm could not be created
    case EROFS:
      return read_only ? kLogAdvice : "mount its file system for writing, or choose another path";
    case EMFILE:
    case ENFILE:
      return "close files, or raise the limit of open files";
    default:
      return "check its disk";
  }
}

// Advice for the user, if there is any.
std::string_view advice(const Failure& failure, bool read_only) {
  if (failure.sqlite_code == SQLITE_IOERR_SHMMAP) {
    return "its file system cannot map shared memory, which SQLite's log needs, as shares of "
           "virtual machines (9p, vboxsf) cannot; choose a folder on a local disk";
  }
  switch (failure.kind) {
    case FailureKind::busy:
      return "another program holds a lock on it: try again when that has ended";
    case FailureKind::full:
      return "make room on its disk, or raise the quota or the file size limit";
    case FailureKind::io:
      return advice_for_io(failure.system_error, read_only);
    case FailureKind::unavailable:
      return read_only ? "open it for writing once, as its application does at its start, to "
                         "create or upgrade the cache"
                       : "";
    case FailureKind::corrupt:
      return "open it for writing once, which begins a new file";
    case FailureKind::in_use:
    case FailureKind::not_ours:
    case FailureKind::unusable:
    case FailureKind::too_large:
    case FailureKind::other:
      return "";
  }
  return "";
}

Failure explained(Failure failure, const std::string& path, bool read_only) {
  const std::string_view what_to_do = advice(failure, read_only);
  const bool says_it_itself =
      failure.kind == FailureKind::in_use || failure.kind == FailureKind::not_ours;
  if (says_it_itself) return failure;
  failure.what = fmt::format("cannot open the cache '{}': {}{}{}", path, failure.what,
                             what_to_do.empty() ? "" : "; ", what_to_do);
  return failure;
}

}  // namespace

base::Result<std::unique_ptr<Store>> open_store(const OpenOptions& options) {
  if (!has_threads()) return unusable(options.path);
  auto store = options.read_only ? open_for_reading(options) : open_for_writing(options);
  if (store) return store;
  return explained(store.failure(), options.path, options.read_only);
}

}  // namespace ashmemo::store
