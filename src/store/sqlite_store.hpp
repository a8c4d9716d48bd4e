#pragma once

#include <memory>

#include "store/claim.hpp"
#include "store/connection.hpp"
#include "store/store.hpp"

namespace ashmemo::store {

/// The connections that opening a file has left.
struct Connections {
  std::unique_ptr<Connection> writer;  // null for read-only access; may be incomplete
  std::unique_ptr<Connection> reader;  // null: the first read opens one
};

[[nodiscard]] ConnectionOptions reader_options(const OpenOptions& options);

/// The Store of a claimed file with our schema. Readers are opened at their first use, except the
/// given one.
[[nodiscard]] std::unique_ptr<Store> make_sqlite_store(std::unique_ptr<ClaimedFile> file,
                                                       Connections connections,
                                                       const OpenOptions& options);

}  // namespace ashmemo::store
