#pragma once

#include <array>
#include <string_view>

// The text of the schema. Each definition is written exactly as SQLite keeps it, because
// compare_schema compares the text: "CREATE", the kind, the name, one space each, and then to the
// letter. A change of any definition other than a view's is a new format version.

namespace ashmemo::store {

struct SchemaObject {
  std::string_view type;
  std::string_view name;
  std::string_view sql;
};

inline constexpr std::array<SchemaObject, 12> kSchemaObjects{{
    {"table", "cache_entries",
     // The small columns are first, so that they are read without the value's overflow pages.
     // Columns of later formats are at the end, where ALTER TABLE adds them.
     R"sql(CREATE TABLE cache_entries (
  cache_key TEXT PRIMARY KEY NOT NULL,
  byte_size INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL,
  computed_at INTEGER NOT NULL,
  fresh_until INTEGER,
  expires_at INTEGER,
  keep_until INTEGER,
  accessed_at INTEGER NOT NULL,
  access_count INTEGER NOT NULL DEFAULT 0,
  calculation_id INTEGER,
  record_version ANY,
  cost_us INTEGER,
  eviction_counter INTEGER NOT NULL DEFAULT 0,
  eviction_queue INTEGER NOT NULL DEFAULT 0,
  value ANY
, checksum INTEGER) STRICT)sql"},
    // Each row with a deadline is in one of these two indexes. The first has the rows that end when
    // they expire, the second the rows that are kept longer for stale-if-error.
    {"index", "cache_entries_expires_at",
     "CREATE INDEX cache_entries_expires_at ON cache_entries (expires_at)"
     " WHERE expires_at IS NOT NULL AND keep_until IS NULL"},
    {"index", "cache_entries_keep_until",
     "CREATE INDEX cache_entries_keep_until ON cache_entries (keep_until)"
     " WHERE keep_until IS NOT NULL"},
    {"index", "cache_entries_inserted_at_accessed_at",
     "CREATE INDEX cache_entries_inserted_at_accessed_at"
     " ON cache_entries (inserted_at, accessed_at)"},
    // The probation queue of S3-FIFO, a tenth of the entries. With this index they are found
    // without reading all others.
    {"index", "cache_entries_probation",
     "CREATE INDEX cache_entries_probation ON cache_entries (inserted_at)"
     " WHERE eviction_queue = 1"},
    {"table", "cache_calculations",
     R"sql(CREATE TABLE cache_calculations (
  id INTEGER PRIMARY KEY,
  resource TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  policy TEXT NOT NULL,
  retired INTEGER NOT NULL DEFAULT 0,
  hits INTEGER NOT NULL DEFAULT 0,
  stale_hits INTEGER NOT NULL DEFAULT 0,
  misses INTEGER NOT NULL DEFAULT 0,
  computed INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  saved_us INTEGER NOT NULL DEFAULT 0
, result_type TEXT) STRICT)sql"},
    {"table", "cache_totals",
     R"sql(CREATE TABLE cache_totals (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  entries INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  probation_entries INTEGER NOT NULL,
  probation_bytes INTEGER NOT NULL,
  last_stamp INTEGER NOT NULL
) STRICT)sql"},
    {"trigger", "cache_entries_count_insert",
     R"sql(CREATE TRIGGER cache_entries_count_insert AFTER INSERT ON cache_entries BEGIN
  UPDATE cache_totals SET entries = entries + 1, bytes = bytes + new.byte_size,
    probation_entries = probation_entries + (new.eviction_queue = 1),
    probation_bytes = probation_bytes + (new.eviction_queue = 1) * new.byte_size;
END)sql"},
    {"trigger", "cache_entries_count_delete",
     R"sql(CREATE TRIGGER cache_entries_count_delete AFTER DELETE ON cache_entries BEGIN
  UPDATE cache_totals SET entries = entries - 1, bytes = bytes - old.byte_size,
    probation_entries = probation_entries - (old.eviction_queue = 1),
    probation_bytes = probation_bytes - (old.eviction_queue = 1) * old.byte_size;
END)sql"},
    {"trigger", "cache_entries_count_update",
     R"sql(CREATE TRIGGER cache_entries_count_update
AFTER UPDATE OF byte_size, eviction_queue ON cache_entries BEGIN
  UPDATE cache_totals SET bytes = bytes + new.byte_size - old.byte_size,
    probation_entries = probation_entries + (new.eviction_queue = 1) - (old.eviction_queue = 1),
    probation_bytes = probation_bytes + (new.eviction_queue = 1) * new.byte_size
      - (old.eviction_queue = 1) * old.byte_size;
END)sql"},
    // A program that changes a row does not know its checksum. These two set it to NULL, "not
    // checked". They do not start each other, because neither changes a column that the other
    // waits for.
    {"trigger", "cache_entries_unchecked_insert",
     R"sql(CREATE TRIGGER cache_entries_unchecked_insert
AFTER INSERT ON cache_entries WHEN new.checksum IS NOT NULL BEGIN
  UPDATE cache_entries SET checksum = NULL WHERE rowid = new.rowid;
END)sql"},
    {"trigger", "cache_entries_unchecked_update",
     R"sql(CREATE TRIGGER cache_entries_unchecked_update
AFTER UPDATE OF cache_key, computed_at, fresh_until, expires_at, keep_until, calculation_id,
  record_version, value ON cache_entries BEGIN
  UPDATE cache_entries SET checksum = NULL WHERE rowid = new.rowid;
END)sql"},
}};

// The views are for people. They use only functions of older SQLite shells, and nothing that a
// shell refuses in an untrusted schema.
inline constexpr std::array<SchemaObject, 3> kSchemaViews{{
    {"view", "cache_overview",
     // Scalar queries, so that SQLite evaluates only the selected columns: `oldest` and
     // `never_read` read all entries, and `next_expiry` reads those that are kept for errors. The
     // other columns are fast at any size.
     R"sql(CREATE VIEW cache_overview AS
SELECT
  t.entries AS entries,
  t.bytes AS bytes,
  (SELECT count(*) FROM cache_calculations WHERE NOT retired) AS calculations,
  (SELECT sum(hits) FROM cache_calculations) AS hits,
  (SELECT sum(stale_hits) FROM cache_calculations) AS stale_hits,
  (SELECT sum(misses) FROM cache_calculations) AS misses,
  (SELECT round(1.0 * sum(hits + stale_hits) / nullif(sum(hits + stale_hits + misses), 0), 4)
    FROM cache_calculations) AS hit_ratio,
  (SELECT sum(computed) FROM cache_calculations) AS computed,
  (SELECT sum(failed) FROM cache_calculations) AS failed,
  (SELECT round(sum(saved_us) / 1e6, 3) FROM cache_calculations) AS seconds_saved,
  (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', min(next) / 1e6, 'unixepoch') FROM (
    SELECT min(expires_at) AS next FROM cache_entries
      WHERE expires_at IS NOT NULL AND keep_until IS NULL
    UNION ALL SELECT min(expires_at) FROM cache_entries WHERE keep_until IS NOT NULL
  )) AS next_expiry,
  (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', min(computed_at) / 1e6, 'unixepoch')
    FROM cache_entries) AS oldest,
  (SELECT count(*) FROM cache_entries WHERE access_count = 0) AS never_read
FROM cache_totals AS t)sql"},
    {"view", "cache_by_calculation",
     R"sql(CREATE VIEW cache_by_calculation AS
SELECT
  c.resource AS resource,
  c.name AS calculation,
  c.version AS version,
  c.policy AS policy,
  c.retired AS retired,
  coalesce(e.entries, 0) AS entries,
  coalesce(e.bytes, 0) AS bytes,
  c.hits AS hits,
  c.stale_hits AS stale_hits,
  c.misses AS misses,
  round(1.0 * (c.hits + c.stale_hits) / nullif(c.hits + c.stale_hits + c.misses, 0), 4)
    AS hit_ratio,
  c.computed AS computed,
  c.failed AS failed,
  round(c.saved_us / 1e6, 3) AS seconds_saved,
  c.id AS calculation_id
FROM cache_calculations AS c
LEFT JOIN (
  SELECT calculation_id, count(*) AS entries, sum(byte_size) AS bytes
  FROM cache_entries GROUP BY calculation_id
) AS e ON e.calculation_id = c.id
UNION ALL
SELECT NULL, '(put directly)', NULL, NULL, 0, count(*), coalesce(sum(byte_size), 0),
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM cache_entries WHERE calculation_id IS NULL)sql"},
    {"view", "cache_entries_readable",
     // The key of a result is Resource:record:call, and colons in its parts are escaped. So the
     // record is the part between the first and the last colon. `now` has whole milliseconds, so
     // an entry may be up to one millisecond in the future.
     R"sql(CREATE VIEW cache_entries_readable AS
SELECT
  cache_key,
  CASE WHEN name IS NOT NULL THEN substr(cache_key, 1, instr(cache_key, ':') - 1) END AS resource,
  CASE WHEN name IS NOT NULL THEN substr(
    cache_key, instr(cache_key, ':') + 1, call_at - instr(cache_key, ':') - 1) END AS record,
  name AS calculation,
  CASE WHEN name IS NOT NULL THEN substr(cache_key, call_at + 1) END AS call,
  CASE
    WHEN retired THEN 'retired'
    WHEN computed_at > now + 1000 THEN 'from the future'
    WHEN now < min(coalesce(fresh_until, never), coalesce(expires_at, never)) THEN 'fresh'
    WHEN now < coalesce(expires_at, never) THEN 'stale'
    WHEN now < coalesce(keep_until, expires_at) THEN 'kept'
    ELSE 'expired'
  END AS state,
  round(max(expires_at - now, 0) / 1e6, 3) AS ttl_left,
  value,
  byte_size,
  access_count AS reads,
  strftime('%Y-%m-%dT%H:%M:%fZ', accessed_at / 1e6, 'unixepoch') AS last_read,
  strftime('%Y-%m-%dT%H:%M:%fZ', computed_at / 1e6, 'unixepoch') AS stored,
  strftime('%Y-%m-%dT%H:%M:%fZ', fresh_until / 1e6, 'unixepoch') AS fresh_until,
  strftime('%Y-%m-%dT%H:%M:%fZ', expires_at / 1e6, 'unixepoch') AS expires,
  strftime('%Y-%m-%dT%H:%M:%fZ', keep_until / 1e6, 'unixepoch') AS keep_until,
  round(cost_us / 1e6, 6) AS cost,
  record_version,
  version,
  calculation_id
FROM (
  SELECT e.*, c.name, c.version, c.retired,
    length(rtrim(e.cache_key, replace(e.cache_key, ':', ''))) AS call_at,
    CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000 AS now,
    9223372036854775807 AS never
  FROM cache_entries AS e LEFT JOIN cache_calculations AS c ON c.id = e.calculation_id
))sql"},
}};

// ---- format 1: its definitions, and the statements that upgrade it to format 2

/// Replace the objects of the same names in kSchemaObjects.
inline constexpr std::array<SchemaObject, 3> kFormat1Objects{{
    {"table", "cache_entries",
     R"sql(CREATE TABLE cache_entries (
  cache_key TEXT PRIMARY KEY NOT NULL,
  byte_size INTEGER NOT NULL,
  inserted_at INTEGER NOT NULL,
  computed_at INTEGER NOT NULL,
  fresh_until INTEGER,
  expires_at INTEGER,
  keep_until INTEGER,
  accessed_at INTEGER NOT NULL,
  access_count INTEGER NOT NULL DEFAULT 0,
  calculation_id INTEGER,
  record_version ANY,
  cost_us INTEGER,
  eviction_counter INTEGER NOT NULL DEFAULT 0,
  eviction_queue INTEGER NOT NULL DEFAULT 0,
  value ANY
) STRICT)sql"},
    {"index", "cache_entries_expires_at",
     "CREATE INDEX cache_entries_expires_at ON cache_entries (expires_at)"
     " WHERE expires_at IS NOT NULL"},
    {"table", "cache_calculations",
     R"sql(CREATE TABLE cache_calculations (
  id INTEGER PRIMARY KEY,
  resource TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  policy TEXT NOT NULL,
  retired INTEGER NOT NULL DEFAULT 0,
  hits INTEGER NOT NULL DEFAULT 0,
  stale_hits INTEGER NOT NULL DEFAULT 0,
  misses INTEGER NOT NULL DEFAULT 0,
  computed INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  saved_us INTEGER NOT NULL DEFAULT 0
) STRICT)sql"},
}};

/// Objects that format 1 did not have.
inline constexpr std::array<std::string_view, 3> kNewInFormat2{
    "cache_entries_keep_until", "cache_entries_unchecked_insert", "cache_entries_unchecked_update"};

/// Adds the columns. The indexes and triggers of format 2 are created from kSchemaObjects
/// afterwards.
inline constexpr const char* kColumnsOfFormat2 =
    "ALTER TABLE cache_entries ADD COLUMN checksum INTEGER;"
    "ALTER TABLE cache_calculations ADD COLUMN result_type TEXT;"
    "DROP INDEX cache_entries_expires_at";

}  // namespace ashmemo::store
