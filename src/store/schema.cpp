#include "store/schema.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "base/printable.hpp"
#include "store/file_id.hpp"
#include "store/schema_sql.hpp"
#include "store/sqlite_error.hpp"

namespace ashmemo::store {
namespace {

using State = SchemaVerdict::State;

// The reason why the schema is changed; nullopt if it is as we made it.
using Objection = std::optional<std::string>;

std::int64_t pragma(SQLite::Database& database, const char* name) {
  return database.execAndGet(fmt::format("PRAGMA {}", name)).getInt64();
}

std::string to_text(std::string_view sql) { return std::string(sql); }

template <class Objects>
const SchemaObject* find_in(const Objects& objects, std::string_view name) {
  const auto found = std::find_if(objects.begin(), objects.end(),
                                  [&](const SchemaObject& object) { return object.name == name; });
  return found == objects.end() ? nullptr : &*found;
}

bool is_new_in_format_2(std::string_view name) {
  return std::find(kNewInFormat2.begin(), kNewInFormat2.end(), name) != kNewInFormat2.end();
}

// The tables, indexes and triggers of a format.
std::vector<SchemaObject> objects_of(std::int64_t format) {
  if (format == kFormatVersion) return {kSchemaObjects.begin(), kSchemaObjects.end()};
  std::vector<SchemaObject> objects;
  for (const SchemaObject& object : kSchemaObjects) {
    const SchemaObject* before = find_in(kFormat1Objects, object.name);
    if (!is_new_in_format_2(object.name)) objects.push_back(before != nullptr ? *before : object);
  }
  return objects;
}

bool is_our_table(std::string_view name) {
  const SchemaObject* found = find_in(kSchemaObjects, name);
  return found != nullptr && found->type == "table";
}

// One line of sqlite_schema.
struct Line {
  std::string type;
  std::string name;
  std::string table;
  std::string sql;
};

std::vector<Line> read_lines(SQLite::Database& database) {
  std::vector<Line> lines;
  SQLite::Statement query(
      database,
      "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE type <> 'view'");
  while (query.executeStep()) {
    lines.push_back({query.getColumn(0).getString(), query.getColumn(1).getString(),
                     query.getColumn(2).getString(), query.getColumn(3).getString()});
  }
  return lines;
}

// Checks the columns of an index on one of our tables. An expression is code, and an index with an
// unknown collation cannot be written.
Objection object_to_columns(SQLite::Database& database, const std::string& index) {
  SQLite::Statement query(database, "SELECT cid, coll FROM pragma_index_xinfo(?1)");
  query.bind(1, index);
  while (query.executeStep()) {
    constexpr int kExpression = -2;
    const std::string collation = query.getColumn(1).getString();
    const bool built_in = collation == "BINARY" || collation == "NOCASE" || collation == "RTRIM";
    if (query.getColumn(0).getInt() == kExpression || !built_in) {
      return fmt::format("the index '{}' is on more than plain columns", index);
    }
  }
  return std::nullopt;
}

Objection object_to_index(SQLite::Database& database, const Line& line) {
  // Indexes of our primary keys. SQLite reserves such names, and they have no definition.
  if (line.sql.empty() && line.name.starts_with("sqlite_autoindex_")) return std::nullopt;
  SQLite::Statement query(database,
                          "SELECT \"unique\", partial FROM pragma_index_list(?1) WHERE name = ?2");
  query.bind(1, line.table);
  query.bind(2, line.name);
  if (!query.executeStep()) return fmt::format("the index '{}' is not what it seems", line.name);
  if (query.getColumn(0).getInt() != 0) return fmt::format("the index '{}' is unique", line.name);
  if (query.getColumn(1).getInt() != 0) return fmt::format("the index '{}' is partial", line.name);
  return object_to_columns(database, line.name);
}

// Checks an object that create_schema did not make.
Objection object_to_stranger(SQLite::Database& database, const Line& line) {
  if (line.type == "trigger") return fmt::format("the trigger '{}' is not ours", line.name);
  // Recognizes a virtual table by the beginning of its definition, because its other marks can be
  // forged. SQLite itself writes this beginning, and refuses a schema with a line of another type.
  if (line.type == "table" && !line.sql.starts_with("CREATE TABLE ")) {
    return fmt::format("the table '{}' is not ours, and no plain one", line.name);
  }
  if (line.type == "index" && is_our_table(line.table)) return object_to_index(database, line);
  return std::nullopt;
}

Objection object_to_lines(SQLite::Database& database, std::int64_t format) {
  const std::vector<SchemaObject> objects = objects_of(format);
  std::size_t ours = 0;
  for (const Line& line : read_lines(database)) {
    const SchemaObject* object = find_in(objects, line.name);
    if (object != nullptr && (line.type != object->type || line.sql != object->sql)) {
      return fmt::format("the definition of '{}' was changed", line.name);
    }
    if (object != nullptr) {
      ++ours;
    } else if (Objection objection = object_to_stranger(database, line)) {
      return objection;
    }
  }
  if (ours < objects.size()) return "a table, an index or a trigger of ours is missing";
  return std::nullopt;
}

Objection object_to_settings(SQLite::Database& database) {
  constexpr int kIncremental = 2;
  // In another encoding, text that is not UTF-8 would change and keys would have another order.
  if (database.execAndGet("PRAGMA encoding").getString() != "UTF-8") {
    return "its encoding was changed";
  }
  if (pragma(database, "page_size") != kPageSize) return "its page size was changed";
  if (pragma(database, "auto_vacuum") != kIncremental) return "its auto_vacuum was changed";
  return std::nullopt;
}

Objection object_to_totals(SQLite::Database& database) {
  SQLite::Statement query(database,
                          "SELECT id = 1 AND typeof(entries) = 'integer'"
                          " AND typeof(bytes) = 'integer'"
                          " AND typeof(probation_entries) = 'integer'"
                          " AND typeof(probation_bytes) = 'integer'"
                          " AND typeof(last_stamp) = 'integer'"
                          " FROM cache_totals LIMIT 2");
  if (!query.executeStep()) return "the row of cache_totals is missing";
  if (query.getColumn(0).getInt() == 0) return "the row of cache_totals is no row of totals";
  if (query.executeStep()) return "cache_totals has more than its one row";
  return std::nullopt;
}

Objection object_to(SQLite::Database& database, std::int64_t format) {
  if (Objection objection = object_to_settings(database)) return objection;
  if (Objection objection = object_to_lines(database, format)) return objection;
  return object_to_totals(database);
}

SchemaVerdict compare(SQLite::Database& database) {
  if (pragma(database, "page_count") == 0) return {State::empty, {}};
  if (pragma(database, "application_id") != kApplicationId) {
    return {State::foreign, "its application_id is not ours"};
  }
  const std::int64_t format = pragma(database, "user_version");
  if (format > kFormatVersion) {
    return {State::newer, fmt::format("it was written by a newer version (format {}, known: {})",
                                      format, kFormatVersion)};
  }
  if (format < 1) {
    return {State::changed, fmt::format("its format version {} is none of ours", format)};
  }
  if (Objection objection = object_to(database, format)) {
    return {State::changed, base::printable(*std::move(objection))};
  }
  if (format == kFormatVersion) return {State::ours, {}};
  return {State::older,
          fmt::format("it is of the older format {}, which is upgraded, not read", format)};
}

void create(SQLite::Database& database) {
  database.exec(fmt::format("PRAGMA page_size={}", kPageSize));
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::DEFERRED);
  // The first statement of the transaction, because it must precede the first page. Outside of the
  // transaction it would write and commit a page without our application_id.
  database.exec("PRAGMA auto_vacuum=INCREMENTAL");
  database.exec(fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplicationId,
                            kFormatVersion));
  write_file_id(database, new_file_id());
  for (const SchemaObject& object : kSchemaObjects) database.exec(to_text(object.sql));
  for (const SchemaObject& view : kSchemaViews) database.exec(to_text(view.sql));
  database.exec("INSERT INTO cache_totals VALUES (1, 0, 0, 0, 0, 0)");
  transaction.commit();
}

// Replaces our views by the current ones. A view that a person removed stays removed.
void renew_views(SQLite::Database& database) {
  for (const SchemaObject& view : kSchemaViews) {
    SQLite::Statement query(database,
                            "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?1");
    query.bind(1, to_text(view.name));
    if (!query.executeStep()) continue;
    query.reset();
    database.exec(fmt::format("DROP VIEW {}", view.name));
    database.exec(to_text(view.sql));
  }
}

// Compares again inside the transaction, so that only a correct schema is committed and only known
// definitions are changed.
SchemaVerdict upgrade(SQLite::Database& database) {
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  if (SchemaVerdict found = compare(database); found.state != State::older) return found;
  database.exec(kColumnsOfFormat2);
  for (const SchemaObject& object : kSchemaObjects) {
    const bool is_missing =
        is_new_in_format_2(object.name) ||
        (object.type == "index" && find_in(kFormat1Objects, object.name) != nullptr);
    if (is_missing) database.exec(to_text(object.sql));
  }
  renew_views(database);
  database.exec(fmt::format("PRAGMA user_version={}", kFormatVersion));
  write_file_id(database, new_file_id());
  SchemaVerdict upgraded = compare(database);
  if (upgraded.state == State::ours) transaction.commit();
  return upgraded;
}

// Steps to the end of the statement, because SQLite returns the new mode before it commits, and the
// commit may fail.
std::string switch_to_wal(SQLite::Database& database) {
  SQLite::Statement statement(database, "PRAGMA journal_mode=WAL");
  std::string mode;
  while (statement.executeStep()) mode = statement.getColumn(0).getString();
  return mode;
}

}  // namespace

base::Status create_schema(SQLite::Database& database) {
  return guarded(database.getHandle(), "creating the schema", [&] { create(database); });
}

base::Result<SchemaVerdict> upgrade_schema(SQLite::Database& database) {
  return guarded(database.getHandle(), "upgrading the file's format",
                 [&] { return upgrade(database); });
}

base::Result<SchemaVerdict> compare_schema(SQLite::Database& database) {
  return guarded(database.getHandle(), "comparing the schema", [&] { return compare(database); });
}

base::Status ensure_wal(SQLite::Database& database) {
  return guarded(database.getHandle(), "switching to WAL mode", [&]() -> base::Status {
    const std::string mode = switch_to_wal(database);
    // SQLite opens the WAL with the first read after the switch.
    database.execAndGet("PRAGMA user_version");
    if (mode == "wal") return {};
    return base::Failure{base::FailureKind::io, 0,
                         "this file system has no shared memory, which WAL mode needs"};
  });
}

}  // namespace ashmemo::store
