#pragma once

#include <optional>

#include <ashmemo/duration.hpp>

namespace ashmemo {

/// How long one value is kept.
///
/// The deadlines are counted from the moment at which the value is handed over, after it was
/// computed. They saturate: a ttl of `hours::max()` never ends. A ttl that is not positive is
/// ErrorCode::misuse that names it.
struct PutOptions {
  std::optional<Duration> ttl{};  ///< default: never expires, leaves only by eviction
};

}  // namespace ashmemo
