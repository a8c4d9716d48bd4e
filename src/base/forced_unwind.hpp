#pragma once

#include <exception>

namespace ashmemo::base {

/// Call this first in a `catch (...)` around the program's code. pthread_cancel and pthread_exit
/// unwind the stack with an exception of the C library, which ends the process if a `catch (...)`
/// keeps it. It is not a C++ exception, so no std::exception_ptr can hold it.
inline void pass_forced_unwind() {
  if (std::current_exception() == nullptr) throw;
}

}  // namespace ashmemo::base
