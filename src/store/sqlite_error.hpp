#pragma once

#include <SQLiteCpp/Exception.h>
#include <sqlite3.h>

#include <new>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/result.hpp"
#include "store/store.hpp"

// The only place that converts SQLite's errors to failures of the store. The other files of this
// folder do not catch SQLite::Exception and run inside `guarded`.

namespace ashmemo::store {

/// The kind of failure for an SQLite result code. Accepts primary and extended codes.
/// `system_error`: the errno of the system call that failed; 0: not known.
[[nodiscard]] base::FailureKind failure_kind(int sqlite_code, int system_error = 0) noexcept;

/// `doing` names the operation, for example "reading entries". `handle`: the connection that
/// failed, which knows the system's error; may be null.
[[nodiscard]] base::Failure failure_of(const SQLite::Exception& error, sqlite3* handle,
                                       std::string_view doing);
/// The failure of a call to a file of SQLite, which gave this code.
[[nodiscard]] base::Failure failure_of(int sqlite_code, sqlite3_file* file, std::string_view doing);
/// For SQLITE_CORRUPT, and for problems that SQLite's check found: the failure of the device that
/// caused them. nullopt: the device did not fail since the last call, so the damage is real.
[[nodiscard]] std::optional<base::Failure> take_device_failure(sqlite3* handle,
                                                               std::string_view doing);

namespace detail {

template <class T>
struct GuardedResult {
  using type = base::Result<T>;
};
template <class T>
struct GuardedResult<base::Result<T>> {
  using type = base::Result<T>;
};
template <>
struct GuardedResult<void> {
  using type = base::Status;
};

}  // namespace detail

/// Runs `f` and returns its value or its Result. Converts SQLite::Exception and std::bad_alloc to a
/// Failure. `handle`: the connection that `f` uses; may be null.
template <class F>
auto guarded(sqlite3* handle, std::string_view doing, F&& f) ->
    typename detail::GuardedResult<std::invoke_result_t<F>>::type {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      std::forward<F>(f)();
      return {};
    } else {
      return std::forward<F>(f)();
    }
  } catch (const SQLite::Exception& error) {
    return failure_of(error, handle, doing);
  } catch (const std::bad_alloc&) {
    return out_of_memory(doing);
  }
}

}  // namespace ashmemo::store
