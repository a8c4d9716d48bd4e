#pragma once

#include <cstddef>
#include <string>

#include "fuzz/input.hpp"

// Edits of a valid file. SQLite would reject random bytes at the first check of a header. Edits of
// a few bytes inside SQLite's structures reach the code that reads rows.

namespace ashmemo::fuzz {

inline constexpr std::size_t kPageBytes = 4096;

/// The positions of the pages in a database file or in its write-ahead log.
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

/// Reads one edit from the input and applies it. An edit is:
///
///   kind   u8  the kind of edit, modulo the number of kinds
///   page   u8  the page, modulo the number of pages
///   where  u16 an offset in the page, a cell, a field of a header
///   value  u8  an index in a table of unusual numbers, or the byte itself
///   more   u8  an additional parameter of the kind
void edit(std::string& file, const Layout& layout, Input& input);

}  // namespace ashmemo::fuzz
