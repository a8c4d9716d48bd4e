#pragma once

// A test point is a named place in the code. A test can make a thread wait there to force an order
// of events, or end the process. Test points exist only with ASHMEMO_TEST_POINTS, never in a
// release build.

#if defined(ASHMEMO_TEST_POINTS)

#include <functional>
#include <string_view>

namespace ashmemo::base {

/// Sets the function that each test point calls, on its own thread. Set it before another thread
/// can reach a point. Clear it, with an empty function, when no other thread can.
void set_at_test_point(std::function<void(std::string_view)> what);
void at_test_point(std::string_view name);

}  // namespace ashmemo::base

#define ASHMEMO_TEST_POINT(name) ::ashmemo::base::at_test_point(name)
#else
#define ASHMEMO_TEST_POINT(name) static_cast<void>(0)
#endif
