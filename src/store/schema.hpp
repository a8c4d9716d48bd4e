#pragma once

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <string>

#include "base/result.hpp"

// The cache file: an ordinary SQLite database, which people may look into.
//
// Beside FILE there are FILE-wal and FILE-shm, which SQLite keeps in WAL mode, and FILE-lock. The
// lock keeps a second engine out. It also says that FILE was ours if FILE becomes unreadable (see
// claim.hpp). After damage there is also FILE.corrupt-TIME, and nothing else.
//
// Content. `cache_entries` has one row for each entry, with a readable key and a value of one of
// SQLite's types. `cache_calculations` has the calculations of these entries and their counters.
// `cache_totals` has one row with the number of entries and their size, so that no count is needed.
// Times are microseconds since 1970 UTC. NULL means "the same as expires_at" in fresh_until and
// keep_until, "never" in expires_at, and "put directly" in calculation_id. `checksum` covers
// everything that decides about an answer (see checksum.hpp); NULL means "not checked".
// `result_type` has the names of the types of a calculation's results and arguments; NULL means
// "unknown".
//
// Three views are for people; the library never reads them (`sqlite3 FILE '...'`):
//
//   how full is it            SELECT entries, bytes FROM cache_overview
//   how old is the oldest     SELECT oldest FROM cache_overview
//   the seconds saved         SELECT seconds_saved FROM cache_overview
//   hit ratio a calculation   SELECT calculation, hit_ratio FROM cache_by_calculation
//   what takes the most room  SELECT calculation, bytes FROM cache_by_calculation ORDER BY 2 DESC
//   what was never read       SELECT cache_key FROM cache_entries_readable WHERE reads = 0
//   what belongs to record 42 SELECT cache_key FROM cache_entries_readable WHERE record = '42'
//   what is stale             SELECT cache_key FROM cache_entries_readable WHERE state = 'stale'
//   what expires next         SELECT cache_key, ttl_left FROM cache_entries_readable
//                               WHERE ttl_left > 0 ORDER BY ttl_left LIMIT 10
//
// Triggers. Our writer maintains the totals and writes a checksum with each row. Other programs do
// not know that. So triggers correct the totals for them, and set the checksum of each row that
// they change to NULL. Our connections run with triggers and views disabled: the library never
// executes code from a file, and its writes do not pay for the triggers. Two ways around the
// triggers remain. REPLACE in the shell fires no delete trigger; then the totals are wrong until
// `check()` is called. A program may disable triggers, too; then the rows that it changes do not
// match their checksums and are misses, unless it sets `checksum` to NULL itself.
//
// Ownership. The header of FILE contains our application_id from the first page on, because one
// transaction with a rollback journal creates the schema before the switch to WAL mode. If the
// process is killed in between, FILE is empty, becomes empty at the next opening, or is complete.
//
// Changes. The settings of the file and our tables, indexes and triggers must be exactly as we made
// them. A foreign trigger or virtual table, or an index on our tables that can make a write fail
// (unique, partial, on an expression, with its own collation), is foreign code. A file with any of
// these is quarantined. Harmless things are allowed: views (ours may be changed or dropped, too),
// other tables and their indexes, plain indexes on our tables, and the tables of ANALYZE.

namespace ashmemo::store {

/// "AMmo": it is in the header of each of our files and of no other file.
inline constexpr std::int32_t kApplicationId = 0x414D6D6F;

/// The version of the format, as `user_version`. The history:
///   1  the first.
///   2  a checksum for each row, result types, two indexes of rows that end.
/// A file of an older version is upgraded when it is opened for writing. A file of a newer version
/// is quarantined, because a cache can be computed again.
inline constexpr std::int32_t kFormatVersion = 2;

/// The result of comparing a database with what create_schema makes.
struct SchemaVerdict {
  enum class State : std::uint8_t {
    ours,     // exactly as we made it
    empty,    // without a page: nothing was created, or the creation was rolled back
    foreign,  // without our application_id
    newer,    // written by a newer version of the library
    older,    // exactly an older format: call upgrade_schema
    changed,  // ours, but changed or damaged
  };
  State state = State::ours;
  std::string why;  // for messages; empty for `ours` or `empty`
};

/// Creates the schema in an empty database. If the process ends meanwhile, either all or nothing of
/// it exists.
[[nodiscard]] base::Status create_schema(SQLite::Database& database);

/// Upgrades an older format to the current one, in one transaction. If the process ends meanwhile,
/// the file does not change. All rows stay. Reads all rows to make the indexes of format 2: about a
/// second and 60 MB of memory for a million rows with a deadline. Returns the same as
/// compare_schema afterwards; a file that is not `ours` then did not change.
[[nodiscard]] base::Result<SchemaVerdict> upgrade_schema(SQLite::Database& database);

/// Compares the schema and reads the row of totals, never the entries: the cost does not depend on
/// the size. Called at opening, and again after another program changed the schema.
[[nodiscard]] base::Result<SchemaVerdict> compare_schema(SQLite::Database& database);

/// Switches the file to WAL mode permanently. Fast if it is in that mode. FILE-wal exists
/// afterwards.
[[nodiscard]] base::Status ensure_wal(SQLite::Database& database);

}  // namespace ashmemo::store
