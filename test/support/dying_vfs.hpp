#pragma once

#include <cstdint>

// For children only: counts what SQLite and we ourselves do to files, and ends the process in the
// middle of it.

namespace ashmemo::test {

/// From now on this process kills itself (SIGKILL: nothing is flushed, nobody is told) right before
/// the `nth` change of a file: a write, truncation, sync, creation or deletion by SQLite, or one of
/// those that base/platform.hpp makes. 0: never. Of SQLite it concerns connections opened
/// afterwards. The process's test points are taken for it.
void die_at_file_change(std::int64_t nth);

/// How often SQLite has read from a file since die_at_file_change was called.
[[nodiscard]] std::int64_t file_reads();

}  // namespace ashmemo::test
