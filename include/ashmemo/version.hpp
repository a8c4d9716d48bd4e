#pragma once

/// Version of ashmemo: semantic versioning, `major.minor.patch`.
///
/// The macros are the version of the headers that a program is compiled with, for `#if`. The
/// function is the version of the library that it runs with; the two differ only if a shared
/// library was replaced.
#define ASHMEMO_VERSION_MAJOR 0
#define ASHMEMO_VERSION_MINOR 1
#define ASHMEMO_VERSION_PATCH 0
#define ASHMEMO_VERSION "0.1.0"

namespace ashmemo {

/// Version of the library in use, such as "0.1.0". A static string; safe from any thread.
[[nodiscard]] const char* version() noexcept;

}  // namespace ashmemo
