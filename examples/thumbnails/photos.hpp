#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "jpeg.hpp"

namespace thumbnails {

/// A file of photos, as the directory shows it: it is not opened before a thumbnail is made.
struct Photo {
  std::string path;
  std::string version;  ///< modification time and size: another one when the file was changed
  std::uintmax_t bytes = 0;
};

/// All files of the directory that are called .jpg or .jpeg, by name.
[[nodiscard]] std::vector<Photo> photos_in(const std::filesystem::path& directory);

[[nodiscard]] Bytes read_file(const std::filesystem::path& file);
void write_file(const std::filesystem::path& file, const Bytes& content);

/// A picture to be a photo: suns of many colours before a sky. The same for the same number.
[[nodiscard]] Picture paint(int number);

}  // namespace thumbnails
