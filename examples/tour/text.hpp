#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tour {

/// Whether these bytes are text: UTF-8 without a NUL in it.
[[nodiscard]] bool is_text(std::string_view bytes) noexcept;

/// How many words there are, as `wc -w` counts: what stands between white space.
[[nodiscard]] std::size_t count_words(std::string_view text) noexcept;

/// The same text with the ASCII letters in lower case.
[[nodiscard]] std::string in_lower_case(std::string text);

/// The same text with one space wherever there is white space, and none at the ends.
[[nodiscard]] std::string with_single_spaces(std::string_view text);

/// The words without what surrounds them: runs of letters, digits, "_" and all that is not ASCII.
/// They are parts of `text`.
[[nodiscard]] std::vector<std::string_view> split_words(std::string_view text);

}  // namespace tour
