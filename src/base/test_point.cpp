#include "base/test_point.hpp"

#if defined(ASHMEMO_TEST_POINTS)

#include <atomic>
#include <memory>
#include <utility>

namespace ashmemo::base {
namespace {

using Hook = std::function<void(std::string_view)>;

// Without a mutex, because a forked child may reach a test point, too.
std::atomic<const Hook*> hook{nullptr};

}  // namespace

void set_at_test_point(Hook what) {
  const std::unique_ptr<const Hook> before(
      hook.exchange(what ? new Hook(std::move(what)) : nullptr));
}

void at_test_point(std::string_view name) {
  if (const Hook* const what = hook.load()) (*what)(name);
}

}  // namespace ashmemo::base

#endif
