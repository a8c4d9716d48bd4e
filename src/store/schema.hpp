#pragma once

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <string>

#include "base/result.hpp"

// The cache file: an ordinary SQLite database that anybody may look into.
//
// Beside FILE lie FILE-wal and FILE-shm, as SQLite keeps them in WAL mode, and FILE-lock, which
// keeps a second engine out and says, even of a FILE that has become unreadable, that it was ours
// (see claim.hpp). Nothing else is left behind, but for FILE.corrupt-TIME after a damage.
//
// What is in it. `cache_entries` has one row an entry, with a readable key and a value in one of
// SQLite's own types. `cache_calculations` names the calculations that the entries are results of
// and keeps their counters. `cache_totals` has one row: how many entries there are and what they
// cost, so that nobody has to count. Moments are microseconds since 1970 UTC. NULL in fresh_until
// or keep_until means "as expires_at", NULL in expires_at "never"; a calculation_id of NULL is an
// entry that was put directly. `checksum` covers everything that decides about an answer (see
// checksum.hpp); NULL means "not checked". `result_type` is the codec's name for the type of a
// calculation's results; NULL means "not known".
//
// For people there are three views, which we never read ourselves (`sqlite3 FILE '...'`):
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
// Triggers. Our own writer adds up what it does and writes the totals with each commit, and it
// writes a checksum with each row. Other programs do not know that. So triggers keep the totals for
// them, and set the checksum of each row that they change to NULL. Our connections run with
// triggers and views disabled: nothing that stands in a file is ever executed by us, and our writes
// do not pay for it. Two ways around the triggers remain. REPLACE in the shell fires no delete
// trigger; then the totals are off until somebody calls `check()`. A program may disable triggers
// as we do; then the rows that it changes do not match their checksums and are misses, unless it
// sets `checksum` to NULL itself.
//
// Whose it is. The header of FILE carries our application_id from its very first page on: the
// schema is created with a rollback journal, in one transaction, and only then switched to WAL
// mode. So whenever the process is killed meanwhile, FILE is empty, or rolled back to empty when it
// is opened, or whole.
//
// What counts as changed. The file's own settings, our tables, indexes and triggers must be as we
// made them, to the letter. A trigger or virtual table that is not ours, or an index on our tables
// that could refuse or fail a write (unique, partial, on an expression, with a collation of its
// own), is somebody else's code in our path. All of these make the file one that we set aside. Left
// alone is what cannot hurt: views (ours may be changed or dropped, too), other tables and their
// indexes, plain indexes on ours, and what ANALYZE leaves.

namespace ashmemo::store {

/// "AMmo": in the header of each of our files, and never of anybody else's.
inline constexpr std::int32_t kApplicationId = 0x414D6D6F;

/// The version of the format, as `user_version`. The history:
///   1  the first.
///   2  a checksum for each row, result types, two indexes of rows that end.
/// A file of an older version is upgraded when it is opened for writing. A file of a newer version
/// is set aside, because a cache can be computed again.
inline constexpr std::int32_t kFormatVersion = 2;

/// byte_size is worked out for this size, whatever the default of the build is.
inline constexpr int kPageSize = 4096;

/// How a database compares to what create_schema makes.
struct SchemaVerdict {
  enum class State : std::uint8_t {
    ours,     // as we made it
    empty,    // not one page: nothing was created, or its creation was rolled back
    foreign,  // without our application_id
    newer,    // written by a newer version of the library
    older,    // of an older format, and as that format made it: upgrade_schema
    changed,  // ours, and no longer as we made it, or damaged
  };
  State state = State::ours;
  std::string why;  // for people; empty when `ours` or `empty`
};

/// Makes an empty database ours. Before or after: nothing in between, whenever the process ends.
[[nodiscard]] base::Status create_schema(SQLite::Database& database);

/// Makes the current format of an older one, in one transaction: a process that ends meanwhile
/// leaves the file as it was. All rows stay. Reads all rows to make the indexes of format 2: about
/// a second and 60 MB of memory for a million rows that expire. Answers as compare_schema does
/// afterwards; a file that is not `ours` then was left as it was.
[[nodiscard]] base::Result<SchemaVerdict> upgrade_schema(SQLite::Database& database);

/// Compares. Reads the schema and the row of totals, never the entries: the same cost at any size.
/// Called when a file is opened, and again when another program has changed the schema.
[[nodiscard]] base::Result<SchemaVerdict> compare_schema(SQLite::Database& database);

/// Switches to WAL mode, for good; nothing to do is quick. FILE-wal exists afterwards.
[[nodiscard]] base::Status ensure_wal(SQLite::Database& database);

}  // namespace ashmemo::store
