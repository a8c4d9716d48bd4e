#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ashmemo::bench {

/// Recorded requests to a cache, in order.
struct Trace {
  struct Request {
    std::uint32_t key = 0;  // index into `keys`
    std::int64_t size = 0;  // bytes; kDefaultSize if the file has no size
  };
  std::string name;  // name of the file, without directories and extensions
  std::vector<std::string> keys;
  std::vector<Request> requests;
};

inline constexpr std::int64_t kDefaultSize = 100;

/// Reads a file of lines `key` or `key size`, plain or gzip. Throws std::runtime_error with the
/// file and the line.
[[nodiscard]] Trace read_trace(const std::string& path);

}  // namespace ashmemo::bench
