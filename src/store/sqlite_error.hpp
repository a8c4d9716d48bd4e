#pragma once

#include <SQLiteCpp/Exception.h>

#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/result.hpp"

// The only place where SQLite's errors become the store's: everything in this folder lets
// SQLite::Exception fly and runs inside `guarded`.

namespace ashmemo::store {

/// What an SQLite result code means to the layers above. Takes primary and extended codes.
[[nodiscard]] base::FailureKind failure_kind(int sqlite_code) noexcept;

/// `doing` says what was being done, as in "reading entries".
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

/// Runs `f` and answers its value, or its Result. SQLite::Exception and std::bad_alloc become
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
