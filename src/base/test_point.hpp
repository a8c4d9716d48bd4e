#pragma once

// A named place in the code where a test can make a thread wait, so that it can force every order
// of what threads do, or end the process. Compiled only with ASHMEMO_TEST_POINTS, which no
// release build has.

#if defined(ASHMEMO_TEST_POINTS)

#include <functional>
#include <string_view>

namespace ashmemo::base {

/// Called at each point, on the thread that is there. Set before, and cleared after, any other
/// thread can be at a point; empty: nothing happens.
void set_at_test_point(std::function<void(std::string_view)> what);
void at_test_point(std::string_view name);

}  // namespace ashmemo::base

#define ASHMEMO_TEST_POINT(name) ::ashmemo::base::at_test_point(name)
#else
#define ASHMEMO_TEST_POINT(name) static_cast<void>(0)
#endif
