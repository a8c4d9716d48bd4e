#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <functional>
#include <string>

namespace ashmemo::cli {

/// A cache to look into, beside an application that may have it open: nothing is written, and no
/// file is made where there is none. CommandError, Error.
[[nodiscard]] Cache open_for_reading(const std::string& file);

/// CommandError if the file could not be read to the end: what was read of it is not all.
void require_read(const Cache& cache);

/// Visits every entry whose key begins with `prefix`, to the end.
void visit_all(const Cache& cache, const std::string& prefix,
               const std::function<void(const EntryInfo&)>& visit);

/// A cache that is changed by one command. No limit holds for it, so that nothing leaves but what
/// the command removes and what has expired; a damaged file is refused, not begun anew;
/// for that all of it is read first.
class Change {
 public:
  /// CommandError, Error (file_in_use) where an application has the file.
  explicit Change(const std::string& file);
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;

  [[nodiscard]] Cache& cache() { return cache_; }
  /// Waits until all of it is in the file. CommandError, Error (store_failed).
  void finish();

 private:
  [[nodiscard]] Cache opened(const std::string& file);
  [[nodiscard]] Options options();
  void hear(const Notice& notice);

  bool has_failed_ = false;  // before the cache, which tells of it
  Cache cache_;
};

/// The length of a file; 0 where it cannot be told.
[[nodiscard]] std::int64_t bytes_of(const std::string& file);

}  // namespace ashmemo::cli
