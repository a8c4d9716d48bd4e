#pragma once

#include <cstdint>

// For children only: simulates a power cut of the machine.

namespace ashmemo::test {

/// From now on, this process records all changes of files by SQLite and by the library that are not
/// yet synced. Just before the `nth` change of a file (a write, truncation, sync, creation,
/// renaming or deletion) it kills itself. A part of the unsynced changes remains, chosen with
/// `seed`: each sector of 512 bytes has its content at the last sync or after any later write, and
/// each file has one of the sizes that it had since then. For the names of files see
/// folder_changes.hpp. The content of the shared memory of the WAL is not included, because SQLite
/// creates it again. It affects connections that are opened later.
void cut_power_at_file_change(std::int64_t nth, std::uint64_t seed);

}  // namespace ashmemo::test
