#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace ashmemo::test {

/// A text that only this version of this key has, so that any other is recognised: mostly short,
/// one of sixteen of some pages.
[[nodiscard]] std::string text_of(std::uint32_t key, std::uint64_t version);
/// nullopt: not a whole text of this key.
[[nodiscard]] std::optional<std::uint64_t> version_of(std::uint32_t key, const std::string& text);

}  // namespace ashmemo::test
