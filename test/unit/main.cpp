#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

// libstdc++ counts the users of a shared exception in code that ThreadSanitizer does not see. It
// then reports a false race between earlier reads of the exception and its destruction.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:error_code_of\nrace:error_of\n";
}
