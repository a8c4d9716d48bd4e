#pragma once

#include <cstdio>
#include <cstdlib>

namespace ashmemo::fuzz {

/// Aborts the process if the condition is false, so that the fuzzer saves the input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

}  // namespace ashmemo::fuzz
