#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace ashmemo::store {

/// The page size of our files. byte_size assumes it, so it does not depend on the default of the
/// SQLite build.
inline constexpr int kPageSize = 4096;

/// The beginning of a write-ahead log: this number, apart from its last bit, which is the byte
/// order of the checksums. The header of the log has 32 bytes.
inline constexpr std::uint32_t kLogMagic = 0x377F'0682;
inline constexpr std::size_t kLogHeaderBytes = 32;

/// The number that a file has in its header; see file_id.hpp.
using FileId = std::uint32_t;

/// A file without an id, because format 1 had none.
inline constexpr FileId kNoFileId = 0;

/// The facts in the first 100 bytes of a file that show whether it is ours.
struct Header {
  bool is_sqlite = false;  // begins like an SQLite database and is long enough
  bool is_blank = false;   // only zeroes
  bool is_known = false;   // in a format that current versions of SQLite read and write
  bool is_in_wal_mode = false;
  std::int32_t application_id = 0;
  std::int32_t user_version = 0;
  FileId file_id = kNoFileId;
};

/// A number of four bytes, as SQLite's files have them.
[[nodiscard]] std::uint32_t big_endian(std::string_view bytes, std::size_t at) noexcept;
/// Reads the beginning of page 1, at least 52 bytes.
[[nodiscard]] FileId file_id_in(std::string_view page) noexcept;

/// Accepts any bytes of any length.
[[nodiscard]] Header parse_header(std::string_view bytes) noexcept;

/// Whether SQLite can open a database beside a write-ahead log that begins with these bytes. SQLite
/// refuses a log of an unknown format and ignores a file that is not a log.
[[nodiscard]] bool is_known_log(std::string_view bytes) noexcept;

/// Reads a regular file's header.
///
/// Reads through SQLite's file layer, because closing any descriptor drops all locks of the process
/// on a file. If the program has the database open, it must not lose its locks; SQLite keeps such a
/// descriptor open until they are released. Takes no lock, opens no other file and writes nothing.
[[nodiscard]] base::Result<Header> read_header(const std::string& path);

}  // namespace ashmemo::store
