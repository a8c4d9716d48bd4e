#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ashmemo {

/// The reason of an Error. The numbers never change.
enum class ErrorCode : std::uint8_t {
  invalid_options = 1,      ///< an impossible option or path; names the field and the value
  invalid_key = 2,          ///< empty, longer than 4 KiB, or with a NUL byte in it
  file_in_use = 3,          ///< another cache, in this or another process, has the file open
  not_a_cache = 4,          ///< the file at the path is no cache; it was not touched
  unavailable = 5,          ///< the file cannot be used (missing folder, read-only, full, failing)
  misuse = 6,               ///< a call that the state of the object does not allow
  unknown_calculation = 7,  ///< no calculation of that name; lists the known ones
  wrong_number_of_results = 8,  ///< a batch calculation returned more or fewer results than records
  calculation_failed = 9,       ///< single records of a batch failed: see CalculationFailed
  closed = 10,                  ///< the cache was closed
  store_failed = 11,            ///< an explicit administrative call could not do its work
  cycle = 12,                   ///< calculations that need each other's results; names the path
  damaged = 13,   ///< the file is damaged and open read-only, so it is not quarantined
  too_deep = 14,  ///< calculations that are nested more than 500 deep on one thread
};

[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;

/// Thrown for impossible options and keys, for opening a file that cannot be used or is no cache,
/// for misuse, and by explicit administration (`flush`, `backup`, `check`, `compact`). Loads throw
/// it for calculations that need each other's results, are nested too deep, or return the wrong
/// number of results; and CalculationFailed. Because of the store, `get*`, `put*`, `touch*` and
/// calculations never throw. `what()` says what happened, to which file or key, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& what, std::string subject = {})
      : std::runtime_error(what), code_(code), subject_(std::move(subject)) {}

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// The file, key, option or calculation that the error is about; may be empty.
  [[nodiscard]] const std::string& subject() const noexcept { return subject_; }

 private:
  ErrorCode code_;
  std::string subject_;
};

/// Thrown by a load if a batch calculation returned `Failed` for single records. The results of the
/// other records were stored, so another load computes only the failed records.
class CalculationFailed : public Error {
 public:
  /// One record that failed.
  struct Record {
    std::size_t index = 0;  ///< position in the page of the load
    std::string key;        ///< the cache key
    std::string why;        ///< the reason that the calculation gave
  };

  CalculationFailed(const std::string& what, std::string calculation, std::vector<Record> records)
      : Error(ErrorCode::calculation_failed, what, std::move(calculation)),
        records_(std::move(records)) {}

  /// The failed records, in the order of the page.
  [[nodiscard]] const std::vector<Record>& records() const noexcept { return records_; }

 private:
  std::vector<Record> records_;
};

}  // namespace ashmemo
