#pragma once

#include <array>
#include <string_view>

#include "store/schema_sql.hpp"

// The differences of format 1: its definitions, and the statements that upgrade it to format 2.

namespace ashmemo::store {

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

/// Adds the columns. The indexes and triggers of format 2 are created from kSchemaObjects afterwards.
inline constexpr const char* kColumnsOfFormat2 =
    "ALTER TABLE cache_entries ADD COLUMN checksum INTEGER;"
    "ALTER TABLE cache_calculations ADD COLUMN result_type TEXT;"
    "DROP INDEX cache_entries_expires_at";

}  // namespace ashmemo::store
