#pragma once

#include <string>
#include <string_view>

namespace ashmemo::fuzz {

/// The directory of this process, in the system's place for such things.
[[nodiscard]] const std::string& scratch_directory();

/// Where the mutated cache lies in it.
[[nodiscard]] std::string cache_path();

/// Removes everything but FILE-lock, which says of an unreadable FILE that it was ours.
void clean_scratch();

void write_file(const std::string& path, std::string_view content);
/// Empty where there is none.
[[nodiscard]] std::string read_file(const std::string& path);

}  // namespace ashmemo::fuzz
