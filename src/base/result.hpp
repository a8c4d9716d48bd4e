#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace ashmemo::base {

/// The kinds of failures of the store that the layers above treat differently.
enum class FailureKind : std::uint8_t {
  busy,         // another program holds a lock: try again later
  full,         // the disk has no room, or a quota or the file size limit of the process is reached
  io,           // the device fails, or the file cannot be written (permission, read-only)
  corrupt,      // the file is damaged, or it is not our file any more
  unavailable,  // there is no store now
  in_use,       // another engine, in this or another process, has the file open
  not_ours,     // the file at the path is not a cache of ours; it is never changed
  unusable,     // SQLite in this process cannot be used at all
  too_large,    // this one value cannot be stored
  other,        // everything else, including out of memory
};

/// A store error as a value: below the API no store error is an exception.
struct Failure {
  FailureKind kind = FailureKind::other;
  int sqlite_code = 0;   // extended result code; 0 if SQLite did not fail
  std::string what;      // which operation failed, and the message of SQLite or the system
  int system_error = 0;  // errno of the system call that failed; 0: not known
};

struct Ok {};

/// A value or a failure.
template <class T = Ok>
class [[nodiscard]] Result {
 public:
  Result() : state_(T{}) {}
  Result(T value) : state_(std::move(value)) {}
  Result(Failure failure) : state_(std::move(failure)) {}

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] T& value() { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const { return std::get<0>(state_); }
  [[nodiscard]] T& operator*() { return value(); }
  [[nodiscard]] const T& operator*() const { return value(); }
  [[nodiscard]] T* operator->() { return &value(); }
  [[nodiscard]] const T* operator->() const { return &value(); }
  [[nodiscard]] const Failure& failure() const { return std::get<1>(state_); }

 private:
  std::variant<T, Failure> state_;
};

using Status = Result<Ok>;

}  // namespace ashmemo::base
