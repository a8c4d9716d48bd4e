#pragma once

#include <string>

// The format of write-ahead logs: https://www.sqlite.org/fileformat2.html#the_write_ahead_log

namespace ashmemo::fuzz {

/// Computes all checksums again, so that SQLite accepts the edited log.
[[nodiscard]] std::string with_checksums(std::string log);

/// Replaces the salts, which SQLite chooses at random, with constants.
[[nodiscard]] std::string with_fixed_salts(std::string log);

}  // namespace ashmemo::fuzz
