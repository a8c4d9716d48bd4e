#pragma once

#include <optional>

#include <ashmemo/duration.hpp>

namespace ashmemo {

/// Options of one stored value.
///
/// The ttl begins when the value is put, after it was computed. It saturates: a ttl of
/// `hours::max()` never ends. A ttl that is not longer than 0 is ErrorCode::misuse that names it.
struct PutOptions {
  std::optional<Duration> ttl{};  ///< default: never expires, only eviction removes it
};

}  // namespace ashmemo
