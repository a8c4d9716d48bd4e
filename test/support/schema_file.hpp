#pragma once

#include <memory>
#include <string>

#include "store/connection.hpp"

namespace ashmemo::test {

class TempDir;

/// The writer's connection, to the file as it is; a new one where there is none.
std::unique_ptr<store::Connection> open_schema(const std::string& path);
/// A file with the schema. Closed again: so that a shell may do with it what it likes.
std::string new_file(const TempDir& dir);

}  // namespace ashmemo::test
