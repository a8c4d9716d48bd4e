#pragma once

// A test point is a named place in the code. A test can make a thread wait there to force an order of
// events, or end the process. Test points exist only with ASHMEMO_TEST_POINTS, never in a release
// build.

#if defined(ASHMEMO_TEST_POINTS)

#include <functional>
#include <string_view>

namespace ashmemo::base {

/// Called at each test point, on the thread that reaches it. Set it before any other thread can reach
/// a point, and clear it after that; empty: nothing happens.
void set_at_test_point(std::function<void(std::string_view)> what);
void at_test_point(std::string_view name);

}  // namespace ashmemo::base

#define ASHMEMO_TEST_POINT(name) ::ashmemo::base::at_test_point(name)
#else
#define ASHMEMO_TEST_POINT(name) static_cast<void>(0)
#endif
