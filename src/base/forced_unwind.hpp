#pragma once

#include <exception>

// pthread_cancel and pthread_exit unwind the stack with an exception of the C library, which ends the
// process if a `catch (...)` keeps it. Put ASHMEMO_PASS_FORCED_UNWIND before a `catch (...)` around
// the program's code.

#if defined(__GLIBCXX__) && defined(__linux__)
#include <cxxabi.h>
#define ASHMEMO_PASS_FORCED_UNWIND      \
  catch (const abi::__forced_unwind&) { \
    throw;                              \
  }
#else
#define ASHMEMO_PASS_FORCED_UNWIND
#endif
