#pragma once

#include <memory>

#include "store/claim.hpp"
#include "store/connection.hpp"
#include "store/open.hpp"
#include "store/store.hpp"

namespace ashmemo::store {

/// The Store of a claimed file with our schema. `writer` is null for read-only access. Readers are
/// opened at their first use.
[[nodiscard]] std::unique_ptr<Store> make_sqlite_store(std::unique_ptr<ClaimedFile> file,
                                                       std::unique_ptr<Connection> writer,
                                                       const OpenOptions& options);

}  // namespace ashmemo::store
