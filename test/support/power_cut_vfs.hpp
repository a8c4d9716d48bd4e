#pragma once

#include <cstdint>

// For children only: the machine goes down with the process.

namespace ashmemo::test {

/// From now on everything that SQLite writes and has not yet synced is remembered. Right before its
/// `nth` change of a file (a write, truncation, sync, creation or deletion) the process kills
/// itself, and of what was not synced only a part stays, drawn by `seed`: each sector of 512 bytes
/// has what it had at the last sync or after any write since, and each file one of the lengths it
/// had meanwhile. Files that were created stay, those that were deleted are gone. The shared memory
/// of the WAL is no file here: SQLite makes it anew. Concerns connections opened afterwards.
void cut_power_at_file_change(std::int64_t nth, std::uint64_t seed);

}  // namespace ashmemo::test
