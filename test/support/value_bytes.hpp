#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ashmemo::test {

/// Bytes of a file that stand one behind the other.
struct ByteRange {
  std::size_t at = 0;
  std::size_t size = 0;
  [[nodiscard]] std::size_t end() const noexcept { return at + size; }
};

/// Where the value of one entry is in the file: in the row's own page, and in a chain of others.
struct ValueBytes {
  std::string key;
  std::vector<ByteRange> ranges;
};

/// The values of all entries in a closed cache file. `root` is the first page of cache_entries, as
/// sqlite_schema names it. Only for files that are whole.
[[nodiscard]] std::vector<ValueBytes> find_values(std::string_view file, std::size_t root);

}  // namespace ashmemo::test
