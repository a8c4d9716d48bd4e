#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

// The calls to the operating system that can fail. They are the functions of the system. In a build
// with test points each is a pointer to that function, which a test replaces to record calls, to
// make them fail, or to end the process.

#if defined(ASHMEMO_TEST_POINTS)
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declared name cannot have parentheses
#define ASHMEMO_SYSTEM_CALL(name) inline decltype(&::name) name = &::name
#else
#define ASHMEMO_SYSTEM_CALL(name) using ::name
#endif

namespace ashmemo::base::sys {

ASHMEMO_SYSTEM_CALL(fchmod);
ASHMEMO_SYSTEM_CALL(fchmodat);
ASHMEMO_SYSTEM_CALL(fcntl);
ASHMEMO_SYSTEM_CALL(fstat);
ASHMEMO_SYSTEM_CALL(fsync);
ASHMEMO_SYSTEM_CALL(lstat);
ASHMEMO_SYSTEM_CALL(mmap);
ASHMEMO_SYSTEM_CALL(open);
ASHMEMO_SYSTEM_CALL(opendir);
ASHMEMO_SYSTEM_CALL(pwrite);
ASHMEMO_SYSTEM_CALL(read);
ASHMEMO_SYSTEM_CALL(readdir);
ASHMEMO_SYSTEM_CALL(realpath);
ASHMEMO_SYSTEM_CALL(rename);
#if defined(__linux__)
ASHMEMO_SYSTEM_CALL(renameat2);
#endif
ASHMEMO_SYSTEM_CALL(statvfs);
ASHMEMO_SYSTEM_CALL(unlink);

}  // namespace ashmemo::base::sys

#undef ASHMEMO_SYSTEM_CALL
