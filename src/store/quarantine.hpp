#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "store/file_check.hpp"

namespace ashmemo::store {

/// Quarantines a damaged file: renames FILE and FILE-wal to FILE.corrupt-TIME and
/// FILE.corrupt-TIME-wal, and removes FILE-shm and FILE-journal. `renamed_to` becomes the new name
/// as soon as FILE has it, so also if a later step fails. No connection may be open, and our lock
/// must be held.
[[nodiscard]] base::Status quarantine(const CachePaths& paths, std::int64_t wall_now,
                                      std::string* renamed_to);

/// Undoes a quarantine, under the same conditions. Removes the file that is now at the path. A
/// FILE-wal there stays, because the quarantine may have failed before it moved the log.
[[nodiscard]] base::Status restore(const CachePaths& paths, const std::string& renamed_to);

/// Removes all quarantined copies of `file` but `newest`, so that a failing disk does not fill up
/// with copies. Copies are named exactly FILE.corrupt-DIGITS. `prefers_older`: if there is an older
/// copy, keeps that and removes `newest`.
void keep_one_copy(const std::string& file, const std::string& newest, bool prefers_older);

}  // namespace ashmemo::store
