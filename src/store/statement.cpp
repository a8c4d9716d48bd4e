#include "store/statement.hpp"

#include <SQLiteCpp/Exception.h>

namespace ashmemo::store {

void Statement::prepare(SQLite::Database& database) {
  sqlite3_stmt* handle = nullptr;
  const int rc = sqlite3_prepare_v3(database.getHandle(), sql_, -1, SQLITE_PREPARE_PERSISTENT,
                                    &handle, nullptr);
  if (rc != SQLITE_OK) throw SQLite::Exception(database.getHandle(), rc);
  handle_.reset(handle);
}

void Statement::fail(int rc) const { throw SQLite::Exception(sqlite3_db_handle(get()), rc); }

void Statement::bind_value(int index, ValueView value) {
  switch (value.type()) {
    case ValueType::null:
      return bind_null(index);
    case ValueType::integer:
      return bind(index, value.as_integer());
    case ValueType::real:
      return check(sqlite3_bind_double(get(), index, value.as_real()));
    case ValueType::text:
      return bind_text(index, value.bytes());
    case ValueType::blob: {
      const auto bytes = value.bytes();
      return check(sqlite3_bind_blob64(get(), index, some(bytes), bytes.size(), SQLITE_STATIC));
    }
  }
}

ValueView Statement::value(int column) const noexcept {
  switch (sqlite3_column_type(get(), column)) {
    case SQLITE_INTEGER:
      return ValueView::integer(integer(column));
    case SQLITE_FLOAT:
      return ValueView::real(sqlite3_column_double(get(), column));
    case SQLITE_TEXT:
      return ValueView::text(bytes(column));
    case SQLITE_BLOB:
      return ValueView::blob(bytes(column));
    default:
      return ValueView::null();
  }
}

}  // namespace ashmemo::store
