#pragma once

namespace degradation {

/// Simulates a full disk during its lifetime: SQLite can overwrite the bytes that its files have,
/// but the files cannot grow. SQLite lets a program replace the system calls that it makes, so the
/// real disk of the user does not have to be filled.
class FullDisk {
 public:
  FullDisk();
  ~FullDisk();
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
};

}  // namespace degradation
