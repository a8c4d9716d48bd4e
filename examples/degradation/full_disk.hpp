#pragma once

namespace degradation {

/// A disk without room, for as long as this object lives: what SQLite writes finds the place that
/// its files have already, and they cannot grow. (SQLite lets a program replace the system calls it
/// makes. With a real full disk the same happens, but an example should not fill yours.)
class FullDisk {
 public:
  FullDisk();
  ~FullDisk();
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
};

}  // namespace degradation
