#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tour {

/// Whether these bytes are UTF-8 without a NUL byte.
[[nodiscard]] bool is_text(const std::string& bytes);

/// The number of words, as `wc -w` counts them: separated by white space.
[[nodiscard]] std::size_t count_words(std::string_view text) noexcept;

/// The same text with ASCII letters in lower case, with one space for each run of white space, and
/// without white space at both ends.
[[nodiscard]] std::string normalized(std::string_view text);

/// The words without punctuation: runs of letters, digits, "_" and characters that are not ASCII.
/// They are views of `text`.
[[nodiscard]] std::vector<std::string_view> split_words(std::string_view text);

}  // namespace tour
