#pragma once

#include <SQLiteCpp/Exception.h>

#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/result.hpp"

// The only place that converts SQLite's errors to failures of the store. The other files of this folder
// do not catch SQLite::Exception and run inside `guarded`.

namespace ashmemo::store {

/// The kind of failure for an SQLite result code. Accepts primary and extended codes.
[[nodiscard]] base::FailureKind failure_kind(int sqlite_code) noexcept;

/// `doing` names the operation, for example "reading entries".
[[nodiscard]] base::Failure failure_of(const SQLite::Exception& error, std::string_view doing);
[[nodiscard]] base::Failure out_of_memory(std::string_view doing);

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
/// Failure.
template <class F>
auto guarded(std::string_view doing, F&& f) ->
    typename detail::GuardedResult<std::invoke_result_t<F>>::type {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      std::forward<F>(f)();
      return {};
    } else {
      return std::forward<F>(f)();
    }
  } catch (const SQLite::Exception& error) {
    return failure_of(error, doing);
  } catch (const std::bad_alloc&) {
    return out_of_memory(doing);
  }
}

}  // namespace ashmemo::store
