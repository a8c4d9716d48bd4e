#include "support/value_bytes.hpp"

#include <algorithm>
#include <cstdint>

// From SQLite's file format, for pages of 4096 bytes without a reserved part.

namespace ashmemo::test {
namespace {

constexpr std::size_t kPage = 4'096;
constexpr unsigned char kInterior = 5;
constexpr std::size_t kLeafHeader = 8;
constexpr std::size_t kInteriorHeader = 12;
constexpr std::size_t kRightMostAt = 8;
constexpr std::size_t kCellsAt = 3;
constexpr std::size_t kMaxLocal = kPage - 35;
constexpr std::size_t kMinLocal = (kPage - 12) * 32 / 255 - 23;
constexpr std::size_t kInOverflowPage = kPage - 4;
constexpr std::size_t kValueColumn = 14;  // of cache_entries

class Reading {
 public:
  explicit Reading(std::string_view file) : file_(file) {}

  std::vector<ValueBytes> values;

  void tree(std::size_t page) {
    const std::size_t start = (page - 1) * kPage;
    const bool is_interior = number(start, 1) == kInterior;
    const std::size_t cells = number(start + kCellsAt, 2);
    const std::size_t pointers = start + (is_interior ? kInteriorHeader : kLeafHeader);
    for (std::size_t i = 0; i < cells; ++i) {
      const std::size_t cell = start + number(pointers + 2 * i, 2);
      is_interior ? tree(number(cell, 4)) : row(cell);
    }
    if (is_interior) tree(number(start + kRightMostAt, 4));
  }

 private:
  [[nodiscard]] std::size_t number(std::size_t at, std::size_t bytes) const {
    std::size_t read = 0;
    for (const char byte : file_.substr(at, bytes)) {
      read = read << 8 | static_cast<unsigned char>(byte);
    }
    return read;
  }

  std::uint64_t varint(std::size_t& at) const {
    std::uint64_t read = 0;
    for (int i = 0; i < 9; ++i) {
      const auto byte = static_cast<unsigned char>(file_[at++]);
      if (i == 8) return read << 8 | byte;
      read = read << 7 | (byte & 0x7FU);
      if (byte < 0x80) break;
    }
    return read;
  }

  /// The bytes of a column of this serial type.
  static std::size_t size_of(std::uint64_t type) {
    constexpr std::size_t kNumbers[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    return type < 10 ? kNumbers[type] : static_cast<std::size_t>((type - 12) / 2);
  }

  void row(std::size_t cell) {
    std::size_t at = cell;
    const auto payload = static_cast<std::size_t>(varint(at));
    (void)varint(at);  // the rowid
    const std::size_t start = at;
    const std::size_t header_end = start + static_cast<std::size_t>(varint(at));
    std::vector<std::size_t> sizes;
    while (at < header_end) sizes.push_back(size_of(varint(at)));
    std::size_t before = header_end - start;
    for (std::size_t i = 0; i < kValueColumn; ++i) before += sizes[i];
    ValueBytes found;
    found.key = file_.substr(header_end, sizes[0]);
    found.ranges = in_file(start, payload, before, before + sizes[kValueColumn]);
    values.push_back(std::move(found));
  }

  /// Where the bytes from `from` to `to` of a payload are.
  [[nodiscard]] std::vector<ByteRange> in_file(std::size_t start, std::size_t payload,
                                               std::size_t from, std::size_t to) const {
    std::vector<ByteRange> ranges;
    const auto add = [&](std::size_t place, std::size_t first, std::size_t size) {
      const std::size_t begin = std::max(first, from);
      const std::size_t end = std::min(first + size, to);
      if (begin < end) ranges.push_back({place + begin - first, end - begin});
    };
    const std::size_t local = local_part(payload);
    add(start, 0, local);
    std::size_t next = local < payload ? number(start + local, 4) : 0;
    for (std::size_t first = local; next != 0; first += kInOverflowPage) {
      const std::size_t page = (next - 1) * kPage;
      add(page + 4, first, std::min(kInOverflowPage, payload - first));
      next = number(page, 4);
    }
    return ranges;
  }

  static std::size_t local_part(std::size_t payload) {
    if (payload <= kMaxLocal) return payload;
    const std::size_t even = kMinLocal + (payload - kMinLocal) % kInOverflowPage;
    return even <= kMaxLocal ? even : kMinLocal;
  }

  const std::string_view file_;
};

}  // namespace

std::vector<ValueBytes> find_values(std::string_view file, std::size_t root) {
  Reading reading(file);
  reading.tree(root);
  return std::move(reading.values);
}

}  // namespace ashmemo::test
