#pragma once

#include <cstdint>
#include <functional>

// For tests: sees the calls that the library and SQLite make to the operating system, below
// SQLite's VFS.

namespace ashmemo::test {

/// One call to the operating system.
struct OsCall {
  enum class Kind : std::uint8_t {
    open,
    create,       ///< opens the file, and creates it if it is missing
    truncate,     ///< opens the file and removes its content
    open_folder,  ///< to list a folder, or by SQLite to sync the folder of `path`
    state,        ///< the state of a file, a folder or a disk
    read,         ///< of a file or of the names in a folder
    write,
    resize,
    set_mode,
    sync,
    lock,  ///< not the release of a lock
    map,
    rename,
    rename_only,  ///< a rename that refuses to replace a file
    remove,
  };
  Kind kind;
  bool is_by_sqlite = false;
  const char* path = nullptr;  // if the call names a file
  const char* to = nullptr;    // the new name of a rename
  int descriptor = -1;         // if the call names an open file
  std::int64_t at = 0;         // where SQLite reads
};

/// Whether the call changes files or makes a change durable.
[[nodiscard]] bool changes_a_file(const OsCall& call) noexcept;

/// From now on `before` runs before each call. The call fails with the errno that it returns; 0
/// makes the call. Empty: nothing runs. Set it while no cache is open in this process. `before`
/// runs on any thread.
void before_os_calls(std::function<int(const OsCall&)> before);

}  // namespace ashmemo::test
