#pragma once

#include <string>

// The format of write-ahead logs: https://www.sqlite.org/fileformat2.html#the_write_ahead_log

namespace ashmemo::fuzz {

/// Works out all checksums anew, so that SQLite believes what was changed.
[[nodiscard]] std::string with_checksums(std::string log);

/// The same log with the same salts in each process: SQLite takes random ones.
[[nodiscard]] std::string with_fixed_salts(std::string log);

}  // namespace ashmemo::fuzz
