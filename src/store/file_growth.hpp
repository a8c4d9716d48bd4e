#pragma once

#include <cstdint>

struct sqlite3_file;

namespace ashmemo::store {

/// Gives the file at least this length, in steps of this size. Returns a result code of SQLite.
///
/// If SQLite cannot allocate the space, zeros are written instead: a failed write shows the reason,
/// and on an almost full disk the file gets what there is.
[[nodiscard]] int grow(sqlite3_file* file, std::int64_t bytes, int step);

}  // namespace ashmemo::store
