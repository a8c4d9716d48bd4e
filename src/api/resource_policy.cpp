#include "api/resource_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include <ashmemo/error.hpp>

namespace ashmemo::api {

namespace {

void require_not_negative(std::optional<Duration> window, std::string_view name,
                          std::string_view whose) {
  if (!window || window->count() >= 0) return;
  throw Error(ErrorCode::misuse,
              fmt::format("{}: {} is {}, it cannot be negative", whose, name, to_string(*window)),
              std::string(name));
}

}  // namespace

void require_possible(const CachePolicy& policy, std::string_view whose) {
  if (policy.ttl && policy.ttl->count() <= 0) {
    throw Error(ErrorCode::misuse,
                fmt::format("{}: ttl is {}, it must be positive", whose, to_string(*policy.ttl)),
                "ttl");
  }
  require_not_negative(policy.stale_while_revalidate, "stale_while_revalidate", whose);
  require_not_negative(policy.stale_if_error, "stale_if_error", whose);
  require_not_negative(policy.negative_ttl, "negative_ttl", whose);
  if (policy.eviction && *policy.eviction != Eviction::fifo) {
    throw Error(ErrorCode::misuse,
                fmt::format("{}: eviction is {}, one calculation can only be fifo", whose,
                            to_string(*policy.eviction)),
                "eviction");
  }
}

engine::Lifetimes lifetimes_of(const CachePolicy& policy, std::optional<Duration> ttl) {
  const auto past = [](std::int64_t fresh, std::optional<Duration> window) {
    return base::add_saturated(fresh, window.value_or(Duration()).count());
  };
  engine::Lifetimes lifetimes;
  if (ttl) lifetimes.fresh = ttl->count();
  lifetimes.serve = past(lifetimes.fresh, policy.stale_while_revalidate);
  // RFC 5861 counts both windows from the end of freshness.
  lifetimes.keep = std::max(lifetimes.serve, past(lifetimes.fresh, policy.stale_if_error));
  return lifetimes;
}

PolicyLifetimes lifetimes_of(const CachePolicy& policy, bool optional) {
  PolicyLifetimes lifetimes;
  lifetimes.something = lifetimes_of(policy, policy.ttl);
  if (!policy.negative_ttl || !optional) {
    lifetimes.nothing = lifetimes.something;
  } else if (policy.negative_ttl->count() > 0) {
    lifetimes.nothing = lifetimes_of(policy, policy.negative_ttl);
  }
  return lifetimes;
}

}  // namespace ashmemo::api
