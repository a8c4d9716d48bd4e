#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ashmemo::test {

/// Makes reads of SQLite fail with EIO, below its VFS. Only one may exist at a time, and no cache
/// may be open when it is created or destroyed. Threads: any.
class BadDevice {
 public:
  BadDevice();
  ~BadDevice();
  BadDevice(const BadDevice&) = delete;
  BadDevice& operator=(const BadDevice&) = delete;

  /// Only the nth read from now on fails (0: the next).
  void fail_once(std::size_t nth);
  /// From now on each read of this file fails that begins in these bytes. The file may be renamed.
  void fail_file(const std::string& path, std::int64_t from, std::int64_t to);
  /// Removes all failures.
  void heal();
  /// The number of reads that failed since the last call of `fail_once` or `fail_file`.
  [[nodiscard]] std::size_t fired() const;
};

}  // namespace ashmemo::test
