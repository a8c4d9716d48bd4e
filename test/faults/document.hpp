#pragma once

#include <cstdint>
#include <vector>

namespace ashmemo::test {

/// The record of all calculations in these tests.
struct Document {
  std::int64_t id = 0;
  std::int64_t size = 0;
};

/// Documents 1 to 12. The template file contains results for 1 to 8.
[[nodiscard]] std::vector<Document> documents();

}  // namespace ashmemo::test
