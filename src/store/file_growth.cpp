#include "store/file_growth.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>

#include "store/header.hpp"

namespace ashmemo::store {

namespace {

// Allocates space for the next steps of this size. SQLite allocates only for a file that has a
// step. It also rounds up the length of a file that it truncates, which adds a hole to a shorter
// file. On a full disk that hole could not be written. So a file has a step only here.
int allocate(sqlite3_file* file, sqlite3_int64 bytes, int step) {
  file->pMethods->xFileControl(file, SQLITE_FCNTL_CHUNK_SIZE, &step);
  const int rc = file->pMethods->xFileControl(file, SQLITE_FCNTL_SIZE_HINT, &bytes);
  step = 0;
  file->pMethods->xFileControl(file, SQLITE_FCNTL_CHUNK_SIZE, &step);
  return rc;
}

}  // namespace

int grow(sqlite3_file* file, std::int64_t bytes, int step) {
  static constexpr std::array<char, kPageSize> kZeros{};
  if (allocate(file, bytes, step) == SQLITE_OK) return SQLITE_OK;
  sqlite3_int64 size = 0;
  int rc = file->pMethods->xFileSize(file, &size);
  while (rc == SQLITE_OK && size < bytes) {
    const auto part = std::min<sqlite3_int64>(bytes - size, kPageSize);
    rc = file->pMethods->xWrite(file, kZeros.data(), static_cast<int>(part), size);
    size += part;
  }
  return rc;
}

}  // namespace ashmemo::store
