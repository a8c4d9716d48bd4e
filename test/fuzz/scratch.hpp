#pragma once

#include <string>
#include <string_view>

namespace ashmemo::fuzz {

/// The temporary directory of this process.
[[nodiscard]] const std::string& scratch_directory();

/// The path of the edited cache file in it.
[[nodiscard]] std::string cache_path();

/// Removes all files except the lock file. The lock file shows that an unreadable file was a cache.
void clean_scratch();

void write_file(const std::string& path, std::string_view content);
/// The content of the file; empty if there is no file.
[[nodiscard]] std::string read_file(const std::string& path);

}  // namespace ashmemo::fuzz
