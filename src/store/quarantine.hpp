#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "store/file_check.hpp"

namespace ashmemo::store {

/// Moves a damaged file out of the way: FILE and FILE-wal become FILE.corrupt-TIME and
/// FILE.corrupt-TIME-wal, FILE-shm and FILE-journal are removed. An older copy, named exactly
/// FILE.corrupt-DIGITS, is removed: there is at most one, so that a disk that fails does not fill
/// up with them. The answer is the new name. No connection may be open; our lock must be held.
[[nodiscard]] base::Result<std::string> quarantine(const CachePaths& paths, std::int64_t wall_now);

}  // namespace ashmemo::store
