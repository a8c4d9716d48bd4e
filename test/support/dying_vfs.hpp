#pragma once

#include <cstdint>

// For children only: counts the changes that SQLite and the library make to files, and kills the
// process at one of them.

namespace ashmemo::test {

/// From now on this process kills itself with SIGKILL just before the `nth` change of a file. A
/// change is a write, truncation, sync, creation or deletion by SQLite or by base/platform.hpp. 0:
/// never. It counts changes of SQLite only on connections that are opened later.
void die_at_file_change(std::int64_t nth);

/// The number of reads of files by SQLite since the call of die_at_file_change.
[[nodiscard]] std::int64_t file_reads();

}  // namespace ashmemo::test
