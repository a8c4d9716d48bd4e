#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace thumbnails {

using Bytes = std::vector<std::uint8_t>;

// All functions throw std::runtime_error with the message of the JPEG library.

/// A JPEG file with a thumbnail of the photo. Its sides are an eighth as long as those of the
/// photo.
[[nodiscard]] Bytes make_thumbnail(std::span<const std::uint8_t> photo);

/// A JPEG file with circles of many colours. The same number gives the same picture.
[[nodiscard]] Bytes paint_photo(int number);

}  // namespace thumbnails
