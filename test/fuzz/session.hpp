#pragma once

#include <ashmemo/cache.hpp>
#include <string>

// What a program does with a cache, all of it: on a file that somebody has changed.

namespace ashmemo::fuzz {

/// Nothing runs beside the session, and its clock moves when the session says so.
[[nodiscard]] Options session_options();

/// Loads two calculations of a resource.
void load_calculations(Cache& cache);

/// Opens the file at cache_path() for reading, then for writing; reads all of it, writes, evicts,
/// maintains, checks, copies. Ends the process where anything but an Error of the named calls comes
/// out, where a file that is refused has changed, where the cache forgets what it was just given,
/// or does not come to itself again.
void use_the_cache();

}  // namespace ashmemo::fuzz
