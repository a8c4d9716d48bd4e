#pragma once

#include <ashmemo/cache.hpp>
#include <string>

// A session of a program that calls every operation of a cache, on an edited file.

namespace ashmemo::fuzz {

/// Options with a manual worker and a manual clock.
[[nodiscard]] Options session_options();

/// Declares two calculations of a resource, and loads and invalidates their results.
void load_calculations(Cache& cache);

/// Opens the file at cache_path() for reading and then for writing. It reads all entries, writes,
/// evicts, and runs maintenance, check and backup. It aborts the process in these cases: a call
/// throws an exception that it may not throw, a refused file has changed, the cache does not find
/// an entry that was just put, or the cache does not recover.
void use_the_cache();

}  // namespace ashmemo::fuzz
