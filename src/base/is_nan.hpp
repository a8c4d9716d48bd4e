#pragma once

#include <bit>
#include <cstdint>

namespace ashmemo::base {

/// Reads the bits of the number, because a compiler with -ffast-math assumes that no number is NaN.
[[nodiscard]] constexpr bool is_nan(double number) noexcept {
  constexpr std::uint64_t kSign = 0x8000'0000'0000'0000;
  constexpr std::uint64_t kInfinity = 0x7ff0'0000'0000'0000;
  return (std::bit_cast<std::uint64_t>(number) & ~kSign) > kInfinity;
}

}  // namespace ashmemo::base
