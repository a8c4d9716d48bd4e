#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ashmemo::test {

/// A value that contains its key and its length. is_value_of detects the value of another key, a
/// torn value and a truncated value.
[[nodiscard]] std::string value_of(const std::string& key, std::uint32_t generation,
                                   std::size_t bytes);
[[nodiscard]] bool is_value_of(const std::string& key, const std::string& value);

}  // namespace ashmemo::test
