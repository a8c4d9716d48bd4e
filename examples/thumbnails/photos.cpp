#include "photos.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

namespace thumbnails {
namespace {

namespace fs = std::filesystem;

bool is_called_jpeg(const fs::path& file) {
  std::string ending = file.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == ".jpg" || ending == ".jpeg";
}

struct Sun {
  int x = 0;
  int y = 0;
  int radius = 0;
  std::uint8_t colour[3] = {};
};

bool is_in(const Sun& sun, int x, int y) {
  const int dx = x - sun.x;
  const int dy = y - sun.y;
  return dx * dx + dy * dy < sun.radius * sun.radius;
}

}  // namespace

std::vector<Photo> photos_in(const fs::path& directory) {
  std::vector<Photo> photos;
  for (const fs::directory_entry& file : fs::directory_iterator(directory)) {
    if (!file.is_regular_file() || !is_called_jpeg(file.path())) continue;
    const auto changed = file.last_write_time().time_since_epoch().count();
    photos.push_back(
        {file.path().string(), fmt::format("{}-{}", changed, file.file_size()), file.file_size()});
  }
  std::sort(photos.begin(), photos.end(),
            [](const Photo& a, const Photo& b) { return a.path < b.path; });
  return photos;
}

Bytes read_file(const fs::path& file) {
  std::ifstream input(file, std::ios::binary);
  if (!input) throw std::runtime_error("cannot be read");
  return {std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
}

void write_file(const fs::path& file, const Bytes& content) {
  std::ofstream output(file, std::ios::binary);
  output.write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
  if (!output.flush()) throw std::runtime_error("cannot write " + file.string());
}

Picture paint(int number) {
  constexpr int kWidth = 1280;
  constexpr int kHeight = 960;
  std::mt19937 random(static_cast<std::uint32_t>(number));
  const auto up_to = [&](unsigned most) { return static_cast<int>(random() % most); };
  std::vector<Sun> suns(5);
  for (Sun& sun : suns) {
    sun = {up_to(kWidth), up_to(kHeight), 50 + up_to(150), {}};
    for (std::uint8_t& colour : sun.colour) colour = static_cast<std::uint8_t>(up_to(256));
  }
  Picture picture{kWidth, kHeight, {}};
  picture.pixels.reserve(std::size_t{3} * kWidth * kHeight);
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const auto sky = static_cast<std::uint8_t>(64 + 128 * y / kHeight);
      std::uint8_t pixel[3] = {sky, sky, 255};
      for (const Sun& sun : suns) {
        if (is_in(sun, x, y)) std::copy(std::begin(sun.colour), std::end(sun.colour), pixel);
      }
      picture.pixels.insert(picture.pixels.end(), std::begin(pixel), std::end(pixel));
    }
  }
  return picture;
}

}  // namespace thumbnails
