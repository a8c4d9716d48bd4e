#pragma once

#include <cstdio>
#include <cstdlib>

namespace ashmemo::fuzz {

/// Ends the process as a crash does, so that the fuzzer keeps the input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace ashmemo::fuzz
