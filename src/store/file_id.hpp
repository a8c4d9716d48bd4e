#pragma once

#include <SQLiteCpp/Database.h>

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "store/header.hpp"

// Which write-ahead log belongs to which file.
//
// A log is a list of pages. Nothing in it names the file of these pages. After a crash a person may
// replace FILE by a backup or by a shipped copy while the old FILE-wal stays. SQLite would then
// write pages of the old file over the new one.
//
// So page 1 has a number, the file id, and each log contains page 1. A new file starts with a
// random id. The first commit of each log raises the id by one, or the second one if a checkpoint
// of another program let the first one start the log over unnoticed. So FILE has the id that is in
// its log, or the id before that one, if page 1 was not yet moved. A log that has neither belongs
// to another file, or to an older or newer copy of this file.
//
// The id is the number at offset 48 of the header, which `PRAGMA default_cache_size` sets. SQLite
// keeps it in VACUUM. Our connections set a cache size of their own, so it does not affect them. A
// build of SQLite without deprecated features ignores the pragma: then no file has an id, and each
// log is accepted.

struct sqlite3_file;

namespace ashmemo::store {

/// The first id of a file: random, and recognized by its last byte, which is 0.
[[nodiscard]] FileId new_file_id() noexcept;
/// The id of the next log. Never an id that `new_file_id` could return.
[[nodiscard]] FileId next_file_id(FileId id) noexcept;
/// Whether a log with `in_log` on its page 1 belongs to a file with `in_file` on its page 1.
[[nodiscard]] bool belong_together(FileId in_log, FileId in_file) noexcept;

/// The id that the connection sees: that of the log if it contains page 1.
[[nodiscard]] FileId read_file_id(SQLite::Database& database);
/// Changes page 1 in any case. Keeps the cache size of the connection.
void write_file_id(SQLite::Database& database, FileId id);
/// Writes the id of the next log. Call it in the first transaction of a log, or before it.
void start_log(SQLite::Database& database);

/// The salts in the header of an open log, which differ from those of the log before. 0: no log.
[[nodiscard]] std::uint64_t log_salts(sqlite3_file* log) noexcept;

/// Whether FILE-wal at `path` contains pages of another file than the one whose page 1 has this id.
/// Returns false if the log does not show it: it is missing, SQLite ignores it, or it has no page
/// 1.
///
/// Reads the log up to the first page 1 that belongs to the file, usually its first page. Reads
/// only what SQLite would accept: frames with the salts of the header and the right checksums.
/// Another program may write meanwhile.
[[nodiscard]] base::Result<bool> is_log_of_another_file(const std::string& path, FileId id);

}  // namespace ashmemo::store
