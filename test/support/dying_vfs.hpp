#pragma once

#include <cstdint>

// For children only: counts what SQLite does to files, and ends the process in the middle of it.

namespace ashmemo::test {

/// From now on this process kills itself (SIGKILL: nothing is flushed, nobody is told) right before
/// SQLite's `nth` change of a file: a write, truncation, sync, creation or deletion. 0: never.
/// Concerns connections opened afterwards.
void die_at_file_change(std::int64_t nth);

/// How often SQLite has read from a file since die_at_file_change was called.
[[nodiscard]] std::int64_t file_reads();

}  // namespace ashmemo::test
