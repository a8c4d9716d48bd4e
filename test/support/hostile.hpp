#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// What an attacker, or a broken disk, makes of a cache file; the file is closed meanwhile.

namespace ashmemo::test {

/// Values, as SQL, of which each is wrong in most columns of most tables.
extern const std::vector<std::string> kWrongValues;

/// Runs statements while the table takes values of any type, NULL too, in every column. Its
/// definition is the old one afterwards.
void run_without_types(const std::string& path, const std::string& table,
                       const std::string& statements);

/// Has the row of a table, or of the schema, in which this text stands claim that it is `varint`
/// bytes long.
void claim_length(const std::string& path, std::string_view text, std::string_view varint);

inline constexpr std::string_view kOneGiB("\x84\x80\x80\x80\x00", 5);
inline constexpr std::string_view kMaxLength = "\x8F\xFF\xFF\xFF\x7F";  // 2^32 - 1

/// Writes a number, the highest byte first.
void write_number(const std::string& path, std::size_t at, std::size_t bytes, unsigned number);

}  // namespace ashmemo::test
