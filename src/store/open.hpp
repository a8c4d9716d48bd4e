#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <ashmemo/clock.hpp>

#include "base/platform.hpp"
#include "base/result.hpp"
#include "store/store.hpp"

namespace ashmemo::store {

struct OpenOptions {
  std::string path;
  bool read_only = false;
  bool synced = false;  // Durability::power: every commit goes through the device
  bool erase_securely = false;
  std::int64_t reader_cache_bytes = 0;
  std::int64_t writer_cache_bytes = 0;
  std::int64_t max_entry_bytes = 0;  // bounds SQLITE_LIMIT_LENGTH
  std::shared_ptr<Clock> clock;
  /// Not empty: why `corrupt_file` was found corrupt while it was open. It is set aside even if it
  /// looks whole, for opening does not look at the entries. Another file at the path is judged as
  /// any other.
  std::string found_corrupt;
  base::FileIdentity corrupt_file;
  /// A damaged file was renamed to this name and a new one begun.
  std::function<void(const std::string& file, const std::string& renamed_to,
                     const std::string& why)>
      on_quarantine;
};

/// Opens or creates the cache file, judging what is at the path before SQLite sees it: see
/// judge.hpp. A file of ours that is damaged, newer, or no longer as we made it (schema.hpp) is set
/// aside, and a new one begun. Costs the same at any number of entries.
///
/// Failures: in_use, not_ours (both leave every byte alone), busy (another program holds a lock on
/// it at the moment), or why there is no place for the file. Read-only, nothing is created or set
/// aside: unavailable where there is no file, corrupt where a writer would set it aside.
[[nodiscard]] base::Result<std::unique_ptr<Store>> open_store(const OpenOptions& options);

}  // namespace ashmemo::store
