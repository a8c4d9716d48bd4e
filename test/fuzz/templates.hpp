#pragma once

#include <string>

namespace ashmemo::fuzz {

/// A valid cache file, and the write-ahead log beside it.
struct Template {
  std::string file;
  std::string log;  // empty if the cache was closed
};

/// Whether the rows have their checksums. An edited row that has one is a miss. Only a row without
/// one reaches the code that decodes values.
enum class Rows { checked, unchecked };

/// The templates. They have the same bytes in every process, so that an input always gives the same
/// file. They are created at the first call.
[[nodiscard]] const Template& few_entries(Rows rows);   // one value of each type, and a large one
[[nodiscard]] const Template& many_entries(Rows rows);  // b-trees of several levels, and free pages
[[nodiscard]] const Template& few_in_the_log(Rows rows);
[[nodiscard]] const Template& many_in_the_log(Rows rows);

}  // namespace ashmemo::fuzz
