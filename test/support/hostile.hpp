#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// Changes to a closed cache file that an attacker or a broken disk could make.

namespace ashmemo::test {

/// Values in SQL. Each is wrong in most columns of most tables.
extern const std::vector<std::string> kWrongValues;

/// Runs statements while every column of the table accepts values of any type, and NULL. Then it
/// restores the definition of the table.
void run_without_types(const std::string& path, const std::string& table,
                       const std::string& statements);

/// Finds the row of a table or of the schema that contains this text, and replaces the length in
/// the row with `varint`.
void claim_length(const std::string& path, std::string_view text, std::string_view varint);

inline constexpr std::string_view kOneGiB("\x84\x80\x80\x80\x00", 5);
inline constexpr std::string_view kMaxLength = "\x8F\xFF\xFF\xFF\x7F";  // 2^32 - 1

/// Changes the rowid of a row. Both rowids are less than 128, and the table has one page.
void change_rowid(const std::string& path, const std::string& table, char from, char to);

/// Writes a big-endian number at an offset of the file.
void write_number(const std::string& path, std::size_t at, std::size_t bytes, unsigned number);

}  // namespace ashmemo::test
