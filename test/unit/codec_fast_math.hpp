#pragma once

#include <cstdint>
#include <string>

/// The library's code for real numbers, compiled with -ffast-math, as users may do. Doubles are
/// given as their bits. The whole library has another namespace there, so this one is not in it.
namespace fast_math {

/// The text that Codec<double> stores, or "real".
[[nodiscard]] std::string stored(std::uint64_t bits);
/// The number that Codec<float> decodes from this double, as a double; "none" if it is refused.
[[nodiscard]] std::string decoded_as_float(std::uint64_t bits);
/// The number as a part of a key.
[[nodiscard]] std::string key_part(std::uint64_t bits);

}  // namespace fast_math
