#include "store/sqlite_error.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

#include "base/platform.hpp"
#include "base/printable.hpp"
#include "store/store.hpp"

namespace ashmemo::store {

namespace {

// SQLite remembers the system's error of these codes only.
bool has_system_error(int sqlite_code) noexcept {
  const int primary = sqlite_code & 0xFF;
  return sqlite_code != SQLITE_IOERR_NOMEM &&
         (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN);
}

// Older versions of SQLite do not remember the error of a commit, but their files do.
int system_error_of(sqlite3* handle) {
  int system_error = sqlite3_system_errno(handle);
  if (system_error == 0) {
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &system_error);
  }
  return system_error;
}

// If a read fails with one of these errors, SQLite's VFS returns SQLITE_IOERR_CORRUPTFS. Statements
// change that to plain SQLITE_CORRUPT, as if the content were damaged.
bool is_error_of_device(int system_error) noexcept {
#if defined(EDEVERR)
  if (system_error == EDEVERR) return true;
#endif
  return system_error == EIO || system_error == ENXIO || system_error == ERANGE;
}

// Returns the system's error of the last call for this file that failed, and makes SQLite forget
// it. Returns 0 if it is no error of a device. SQLite keeps the error when later calls succeed.
// Only a read at the end of the file removes it.
int take_device_error(sqlite3* handle, int which_file) {
  sqlite3_file* file = nullptr;
  const int rc = sqlite3_file_control(handle, "main", which_file, &file);
  if (rc != SQLITE_OK || file == nullptr || file->pMethods == nullptr) return 0;
  int system_error = 0;
  file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &system_error);
  if (!is_error_of_device(system_error)) return 0;
  sqlite3_int64 size = 0;
  char byte = 0;
  if (file->pMethods->xFileSize(file, &size) == SQLITE_OK) {
    static_cast<void>(file->pMethods->xRead(file, &byte, 1, size));
  }
  return system_error;
}

int take_device_error(sqlite3* handle) {
  const int of_file = take_device_error(handle, SQLITE_FCNTL_FILE_POINTER);
  const int of_log = take_device_error(handle, SQLITE_FCNTL_JOURNAL_POINTER);
  return of_file != 0 ? of_file : of_log;
}

base::Failure failure_of(int code, int system_error, std::string_view doing,
                         std::string_view message) {
  const std::string cause =
      system_error == 0 ? "" : ": " + std::generic_category().message(system_error);
  return {failure_kind(code, system_error), code,
          base::printable(fmt::format("{}: {}{} (SQLite code {})", doing, message, cause, code)),
          system_error};
}

}  // namespace

base::FailureKind failure_kind(int sqlite_code, int system_error) noexcept {
  using base::FailureKind;
  if (sqlite_code < 0) return FailureKind::other;  // SQLiteCpp's own errors
  if (base::failure_kind(system_error) == FailureKind::full) {
    return FailureKind::full;  // a quota or a file size limit
  }
  switch (sqlite_code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return FailureKind::busy;
    case SQLITE_FULL:
      return FailureKind::full;
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return FailureKind::io;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return FailureKind::corrupt;
    case SQLITE_TOOBIG:
      return FailureKind::too_large;
    default:
      return FailureKind::other;
  }
}

base::Failure failure_of(const SQLite::Exception& error, sqlite3* handle, std::string_view doing) {
  // There is no extended code if the error did not come from a connection.
  const int extended = error.getExtendedErrorCode();
  const int code = extended > 0 ? extended : error.getErrorCode();
  if (handle != nullptr && extended == SQLITE_CORRUPT) {
    if (const auto of_device = take_device_failure(handle, doing)) return *of_device;
  }
  const bool is_known = handle != nullptr && has_system_error(code);
  int system_error = is_known ? system_error_of(handle) : 0;
  // An opening that failed has no connection to ask.
  if (code == SQLITE_IOERR_CORRUPTFS && system_error == 0) system_error = EIO;
  return failure_of(code, system_error, doing, error.what());
}

// The writer keeps its connection after other errors of its device, for example of a lock. So
// damage that it finds next may count as unreadable, but only once, because the error is forgotten
// then.
std::optional<base::Failure> take_device_failure(sqlite3* handle, std::string_view doing) {
  const int system_error = take_device_error(handle);
  if (system_error == 0) return std::nullopt;
  return failure_of(SQLITE_IOERR_READ, system_error, doing, sqlite3_errstr(SQLITE_IOERR_READ));
}

base::Failure failure_of(int sqlite_code, sqlite3_file* file, std::string_view doing) {
  int system_error = 0;
  if (has_system_error(sqlite_code)) {
    file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &system_error);
  }
  return failure_of(sqlite_code, system_error, doing, sqlite3_errstr(sqlite_code));
}

base::Failure out_of_memory(std::string_view doing) {
  return {base::FailureKind::other, SQLITE_NOMEM, fmt::format("{}: out of memory", doing)};
}

bool is_out_of_memory(const base::Failure& failure) noexcept {
  return (failure.sqlite_code & 0xFF) == SQLITE_NOMEM;
}

bool is_unreadable(const base::Failure& failure) noexcept {
  return failure.sqlite_code == SQLITE_IOERR_READ ||
         failure.sqlite_code == SQLITE_IOERR_SHORT_READ ||
         failure.sqlite_code == SQLITE_IOERR_CORRUPTFS;
}

}  // namespace ashmemo::store
