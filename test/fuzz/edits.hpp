#pragma once

#include <cstddef>
#include <string>

#include "fuzz/input.hpp"

// What an input does to a valid file. Random bytes would end at the first check of a header; edits
// of a few bytes, made where SQLite's structures are, reach the rows.

namespace ashmemo::fuzz {

inline constexpr std::size_t kPageBytes = 4096;

/// Where the pages of a database file, or of its write-ahead log, are.
struct Layout {
  std::size_t header_bytes = 0;        // before the first page
  std::size_t frame_header_bytes = 0;  // before each page

  [[nodiscard]] std::size_t page_at(std::size_t page) const noexcept {
    return header_bytes + page * (frame_header_bytes + kPageBytes) + frame_header_bytes;
  }
  [[nodiscard]] std::size_t pages_in(std::size_t bytes) const noexcept {
    if (bytes < header_bytes) return 0;
    return (bytes - header_bytes) / (frame_header_bytes + kPageBytes);
  }
};

inline constexpr Layout kDatabase{0, 0};
inline constexpr Layout kLog{32, 24};

/// Takes one edit from the input and makes it. An edit is:
///
///   kind   u8  what is done, modulo the number of kinds
///   page   u8  modulo the number of pages
///   where  u16 an offset in the page, a cell, a field of a header
///   value  u8  an odd number out of a table, or the byte itself
///   more   u8  what else the kind needs
void edit(std::string& file, const Layout& layout, Input& input);

}  // namespace ashmemo::fuzz
