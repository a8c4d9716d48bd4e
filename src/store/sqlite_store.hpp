#pragma once

#include <memory>

#include "store/claim.hpp"
#include "store/connection.hpp"
#include "store/open.hpp"
#include "store/store.hpp"

namespace ashmemo::store {

/// The Store on a claimed file whose schema was found to be ours. `writer` is null for read-only
/// access. Opens nothing yet: readers are opened when first needed.
[[nodiscard]] std::unique_ptr<Store> make_sqlite_store(std::unique_ptr<ClaimedFile> file,
                                                       std::unique_ptr<Connection> writer,
                                                       const OpenOptions& options);

}  // namespace ashmemo::store
