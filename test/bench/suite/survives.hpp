#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ashmemo::bench {

/// The worst event that a write survives once the timed part has ended.
enum class Survives : std::uint8_t { nothing, process_crash, power_cut };

[[nodiscard]] inline std::string_view to_string(Survives survives) {
  constexpr std::array<std::string_view, 3> names{"nothing", "process crash", "power cut"};
  return names.at(static_cast<std::size_t>(survives));
}

}  // namespace ashmemo::bench
