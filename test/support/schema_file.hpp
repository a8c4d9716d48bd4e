#pragma once

#include <memory>
#include <string>

#include "store/connection.hpp"

namespace ashmemo::test {

class TempDir;

/// Opens the writer's connection without checking the file. Creates the file if it does not exist.
std::unique_ptr<store::Connection> open_schema(const std::string& path);
/// Creates a file with the schema and closes it, so that a shell can change it.
std::string new_file(const TempDir& dir);

}  // namespace ashmemo::test
