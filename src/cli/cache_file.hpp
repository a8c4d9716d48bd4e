#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <functional>
#include <string>

// How the commands open a cache file. All functions throw CommandError and Error.

namespace ashmemo::cli {

/// Opens a cache for reading. An application may have it open. Nothing is written or created.
[[nodiscard]] Cache open_for_reading(const std::string& file);

/// Throws if a read failed, because the result would then be incomplete.
void require_complete(const Cache& cache);

/// Calls `visit` for every entry whose key begins with `prefix`. Shows progress.
void visit_all(const Cache& cache, const std::string& prefix,
               const std::function<void(const EntryInfo&)>& visit);

/// Reads the whole file and looks for damage. A file that is too damaged to be opened is reported,
/// too. Shows progress.
[[nodiscard]] CheckReport check_file(const std::string& file);

/// Opens a cache for writing, calls `work`, and waits until all changes are in the file.
///
/// Refuses a file that an application has open (Error, file_in_use). Then checks the whole file,
/// and ends the program if it is damaged, because the library would replace it by a new one. No
/// limits hold, so only expired entries and those that `work` removes are deleted.
void change_file(const std::string& file, const std::function<void(Cache&)>& work);

/// The size of a file; 0 if it cannot be read.
[[nodiscard]] std::int64_t bytes_of(const std::string& file);

}  // namespace ashmemo::cli
