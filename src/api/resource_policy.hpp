#pragma once

#include <optional>
#include <string_view>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/duration.hpp>

#include "engine/freshness.hpp"

namespace ashmemo::api {

/// Error (misuse) that names the window, if the policy has one that cannot be. `whose`: for the
/// message.
void require_possible(const CachePolicy& policy, std::string_view whose);

/// How long the policy lets a result answer whose ttl is `ttl`.
[[nodiscard]] engine::Lifetimes lifetimes_of(const CachePolicy& policy,
                                             std::optional<Duration> ttl);

/// The windows of results that are something and of those that are nothing.
struct PolicyLifetimes {
  engine::Lifetimes something;
  std::optional<engine::Lifetimes> nothing;  // nullopt: not kept
};
/// `optional`: whether the results are of a type that can be nothing.
[[nodiscard]] PolicyLifetimes lifetimes_of(const CachePolicy& policy, bool optional);

}  // namespace ashmemo::api
