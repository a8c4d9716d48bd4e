#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "store/file_check.hpp"

namespace ashmemo::store {

/// Quarantines a damaged file: renames FILE and FILE-wal to FILE.corrupt-TIME and
/// FILE.corrupt-TIME-wal, and removes FILE-shm and FILE-journal. Removes an older copy, named exactly
/// FILE.corrupt-DIGITS, so that a failing disk does not fill up with copies. Returns the new name. No
/// connection may be open, and our lock must be held.
[[nodiscard]] base::Result<std::string> quarantine(const CachePaths& paths, std::int64_t wall_now);

}  // namespace ashmemo::store
