#include "in_file.hpp"

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/core.h>

#include <cstddef>
#include <stdexcept>
#include <string_view>

#include "../grouped.hpp"

namespace values {
namespace {

constexpr std::size_t kShown = 32;  // bytes of a text or blob
constexpr std::size_t kShownOfLong = 8;

std::string_view bytes_of(const SQLite::Column& column) {
  const void* const bytes = column.getBlob();  // of a text its bytes, NUL bytes too
  const int size = column.getBytes();
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::string escaped(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const bool is_plain = c >= ' ' && c <= '~' && c != '\\' && c != '\'';
    if (is_plain) {
      shown += c;
    } else {
      shown += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
    }
  }
  return shown;
}

std::string in_hex(std::string_view bytes) {
  std::string shown;
  for (const char c : bytes) shown += fmt::format("{:02X}", static_cast<unsigned char>(c));
  return shown;
}

std::string form_of(const SQLite::Column& column) {
  if (column.isNull()) return "NULL";
  if (column.isInteger()) return std::to_string(column.getInt64());
  if (column.isFloat()) return fmt::format("{:#}", column.getDouble());  // as short as is exact
  const std::string_view bytes = bytes_of(column);
  const bool is_long = bytes.size() > kShown;
  const std::string_view shown = bytes.substr(0, is_long ? kShownOfLong : kShown);
  return fmt::format("{}'{}'{}", column.isBlob() ? "X" : "",
                     column.isBlob() ? in_hex(shown) : escaped(shown),
                     is_long ? "... " + example::grouped(column.getBytes()) + " B" : "");
}

}  // namespace

InFile look_into(const std::string& file, const std::string& key) {
  const SQLite::Database database(file, SQLite::OPEN_READONLY);
  SQLite::Statement query(database,
                          "SELECT typeof(value), value FROM cache_entries WHERE cache_key = ?");
  query.bind(1, key);
  if (!query.executeStep()) throw std::runtime_error(file + " has no entry " + key);
  return {query.getColumn(0).getString(), form_of(query.getColumn(1))};
}

void edit(const std::string& file, const std::string& key, const std::string& sql) {
  SQLite::Database database(file, SQLite::OPEN_READWRITE);
  SQLite::Statement update(database,
                           "UPDATE cache_entries SET value = " + sql + " WHERE cache_key = ?");
  update.bind(1, key);
  if (update.exec() != 1) throw std::runtime_error(file + " has no entry " + key);
}

}  // namespace values
