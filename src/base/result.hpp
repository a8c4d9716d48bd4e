#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace ashmemo::base {

/// What went wrong in the store, in the classes that are treated differently above it.
enum class FailureKind : std::uint8_t {
  busy,         // another program holds a lock: try again later
  full,         // the disk has no room
  io,           // the device fails; also: no permission to write, read-only
  corrupt,      // the file is damaged, or is no longer ours
  unavailable,  // there is no store at the moment
  in_use,       // another engine, in this process or beside it, has the file open
  not_ours,     // what is at the path is not a cache file of ours: never touched
  too_large,    // this one value cannot be stored
  other,        // anything else, out of memory included
};

/// A store error as a value: below the API no store error is an exception.
struct Failure {
  FailureKind kind = FailureKind::other;
  int sqlite_code = 0;  // extended result code; 0 where none applies
  std::string what;     // what was being done, and what SQLite or the system said
};

struct Ok {};

/// A value, or the failure that stands in its place.
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
