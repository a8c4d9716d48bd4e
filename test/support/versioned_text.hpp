#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace ashmemo::test {

/// A text that is unique to this key and version, so that a wrong text is detected. One text in
/// sixteen needs several pages; the others are short.
[[nodiscard]] std::string text_of(std::uint32_t key, std::uint64_t version);
/// The version of the text; nullopt if it is not a complete text of this key.
[[nodiscard]] std::optional<std::uint64_t> version_of(std::uint32_t key, const std::string& text);

}  // namespace ashmemo::test
