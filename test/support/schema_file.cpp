#include "support/schema_file.hpp"

#include <doctest/doctest.h>

#include <utility>

#include "store/schema.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {

using namespace store;

std::unique_ptr<Connection> open_schema(const std::string& path) {
  ConnectionOptions options;
  options.role = Role::writer;
  options.cache_bytes = 1 << 20;
  options.max_value_bytes = 1 << 20;
  options.create = true;
  auto opened = Connection::open(path, options);
  REQUIRE_MESSAGE(opened, opened.failure().what);
  return std::move(*opened);
}

std::string new_file(const TempDir& dir) {
  std::string path = dir.path("x.db");
  const auto connection = open_schema(path);
  REQUIRE(create_schema(connection->database()));
  REQUIRE(ensure_wal(connection->database()));
  return path;
}

}  // namespace ashmemo::test
