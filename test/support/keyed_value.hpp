#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace ashmemo::test {

/// A value that tells whose it is, and how it ends: another key's, a torn one and one that was cut
/// off are recognised.
[[nodiscard]] std::string value_of(const std::string& key, std::uint32_t generation,
                                   std::size_t bytes);
[[nodiscard]] bool is_value_of(const std::string& key, const std::string& value);

}  // namespace ashmemo::test
