#include "jpeg.hpp"

#include <turbojpeg.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <stdexcept>

namespace thumbnails {
namespace {

constexpr int kColours = 3;
constexpr int kQuality = 80;

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
  void operator()(unsigned char* bytes) const { tjFree(bytes); }
};
using Handle = std::unique_ptr<void, Destroy>;

void require(bool done, const Handle& handle) {
  if (!done) throw std::runtime_error(tjGetErrorStr2(handle.get()));
}

std::size_t offset(const Picture& picture, int x, int y) {
  return static_cast<std::size_t>((y * picture.width + x) * kColours);
}

Picture blank(int width, int height) {
  Picture picture{width, height, {}};
  picture.pixels.resize(offset(picture, 0, height));
  return picture;
}

/// JPEG can be decoded at eighths of its size, which is much quicker: the smallest that is enough.
tjscalingfactor best_scale(int longest_now, int longest) {
  int count = 0;
  const tjscalingfactor* const factors = tjGetScalingFactors(&count);
  tjscalingfactor best{1, 1};
  for (int i = 0; i < count; ++i) {
    const int scaled = TJSCALED(longest_now, factors[i]);
    if (scaled >= longest && scaled < TJSCALED(longest_now, best)) best = factors[i];
  }
  return best;
}

std::uint8_t average(const Picture& from, int left, int right, int top, int bottom, int colour) {
  int sum = 0;
  for (int y = top; y < bottom; ++y) {
    for (int x = left; x < right; ++x) {
      sum += from.pixels[offset(from, x, y) + static_cast<std::size_t>(colour)];
    }
  }
  return static_cast<std::uint8_t>(sum / ((right - left) * (bottom - top)));
}

/// Each pixel becomes the average of those that it stands for.
Picture shrunk(const Picture& from, int longest) {
  const int longest_now = std::max(from.width, from.height);
  if (longest_now <= longest) return from;
  const auto scaled = [&](int side) { return std::max(1, side * longest / longest_now); };
  Picture to = blank(scaled(from.width), scaled(from.height));
  for (int y = 0; y < to.height; ++y) {
    for (int x = 0; x < to.width; ++x) {
      for (int colour = 0; colour < kColours; ++colour) {
        to.pixels[offset(to, x, y) + static_cast<std::size_t>(colour)] =
            average(from, x * from.width / to.width, (x + 1) * from.width / to.width,
                    y * from.height / to.height, (y + 1) * from.height / to.height, colour);
      }
    }
  }
  return to;
}

}  // namespace

Bytes to_jpeg(const Picture& picture) {
  const Handle handle(tjInitCompress());
  unsigned char* buffer = nullptr;
  unsigned long bytes = 0;
  const int status =
      tjCompress2(handle.get(), picture.pixels.data(), picture.width, 0, picture.height, TJPF_RGB,
                  &buffer, &bytes, TJSAMP_420, kQuality, 0);
  const std::unique_ptr<unsigned char, Destroy> owned(buffer);
  require(status == 0, handle);
  return {buffer, buffer + bytes};
}

Picture small_picture_of(std::span<const std::uint8_t> jpeg, int longest) {
  const Handle handle(tjInitDecompress());
  int width = 0;
  int height = 0;
  int sampling = 0;
  int colours = 0;
  require(tjDecompressHeader3(handle.get(), jpeg.data(), jpeg.size(), &width, &height, &sampling,
                              &colours) == 0,
          handle);
  const tjscalingfactor scale = best_scale(std::max(width, height), longest);
  Picture picture = blank(TJSCALED(width, scale), TJSCALED(height, scale));
  // A file that is cut off is shown as far as it goes, with a warning: here it counts as broken.
  require(tjDecompress2(handle.get(), jpeg.data(), jpeg.size(), picture.pixels.data(),
                        picture.width, 0, picture.height, TJPF_RGB, TJFLAG_STOPONWARNING) == 0,
          handle);
  return shrunk(picture, longest);
}

}  // namespace thumbnails
