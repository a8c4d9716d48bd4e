#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace ashmemo::api {

// By character code, because a key of 4 KiB asks 4,096 times.
inline constexpr std::array<bool, 256> kNeedsEscape = [] {
  std::array<bool, 256> needs{};
  for (std::size_t control = 0; control < 0x20; ++control) needs[control] = true;
  needs[0x7f] = true;
  for (const char separator : std::string_view("%:(),@;[]~")) {
    needs[static_cast<unsigned char>(separator)] = true;
  }
  return needs;
}();

// Whether a character of a text must not stand as it is in a key.
[[nodiscard]] constexpr bool needs_escape(char character) noexcept {
  return kNeedsEscape[static_cast<unsigned char>(character)];
}

}  // namespace ashmemo::api
