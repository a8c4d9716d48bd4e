#include "store/sqlite_error.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/printable.hpp"
#include "store/store.hpp"

namespace ashmemo::store {

base::FailureKind failure_kind(int sqlite_code) noexcept {
  using base::FailureKind;
  if (sqlite_code < 0) return FailureKind::other;  // SQLiteCpp's own errors
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

base::Failure failure_of(const SQLite::Exception& error, std::string_view doing) {
  // There is no extended code if the error did not come from a connection.
  const int extended = error.getExtendedErrorCode();
  const int code = extended > 0 ? extended : error.getErrorCode();
  return {failure_kind(code), code,
          base::printable(fmt::format("{}: {} (SQLite code {})", doing, error.what(), code))};
}

base::Failure out_of_memory(std::string_view doing) {
  return {base::FailureKind::other, SQLITE_NOMEM, fmt::format("{}: out of memory", doing)};
}

bool is_unreadable(const base::Failure& failure) noexcept {
  return failure.sqlite_code == SQLITE_IOERR_READ || failure.sqlite_code == SQLITE_IOERR_SHORT_READ;
}

}  // namespace ashmemo::store
