#pragma once

#include <string>

namespace ashmemo::fuzz {

/// A valid cache file, and the write-ahead log beside it.
struct Template {
  std::string file;
  std::string log;  // empty: closed, all is in the file
};

/// The same bytes in every process, so that an input always means the same file. Made at the first
/// call.
[[nodiscard]] const Template& few_entries();   // one of each kind of value, one of them large
[[nodiscard]] const Template& many_entries();  // trees of several levels, free pages
[[nodiscard]] const Template& few_in_the_log();
[[nodiscard]] const Template& many_in_the_log();

}  // namespace ashmemo::fuzz
