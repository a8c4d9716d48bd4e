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

/// Opens or creates the cache file. Checks what is at the path before SQLite opens it
/// (file_check.hpp). A file of ours that is damaged, newer or changed (schema.hpp) is quarantined
/// and replaced by a new one. The cost does not depend on the number of entries, except for an
/// upgrade of the format.
///
/// Failures: in_use, not_ours (both without a change of the file), busy (another program holds a
/// lock), or the reason why the file cannot be created. A read-only opening creates and quarantines
/// nothing: it fails with unavailable if there is no file, and with corrupt if a writer would
/// quarantine it.
[[nodiscard]] base::Result<std::unique_ptr<Store>> open_store(const OpenOptions& options);

}  // namespace ashmemo::store
