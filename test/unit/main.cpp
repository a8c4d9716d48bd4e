#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

// Threads that share an exception count its users inside libstdc++, which ThreadSanitizer does not
// see: it takes the end of the last one for a race with what another has read of it.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:error_code_of\nrace:error_of\n";
}
