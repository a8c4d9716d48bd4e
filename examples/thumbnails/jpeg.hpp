#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace thumbnails {

using Bytes = std::vector<std::uint8_t>;

/// Red, green and blue of each pixel, a row after the other.
struct Picture {
  int width = 0;
  int height = 0;
  Bytes pixels;
};

/// Both throw std::runtime_error with what the JPEG library says.
[[nodiscard]] Bytes to_jpeg(const Picture& picture);
/// The picture in a JPEG file, smaller: neither side is longer than `longest`. (Turned as the
/// camera was held: what EXIF says is not looked at.)
[[nodiscard]] Picture small_picture_of(std::span<const std::uint8_t> jpeg, int longest);

}  // namespace thumbnails
