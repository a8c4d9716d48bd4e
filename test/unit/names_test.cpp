#include <set>
#include <string_view>

#include <doctest/doctest.h>

#include <ashmemo/entry.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/events.hpp>
#include <ashmemo/options.hpp>
#include <ashmemo/stats.hpp>

// Logs and messages show the names of enum values, so each value needs a unique name.

using namespace ashmemo;

namespace {

/// Checks the names of the values from `first` to the one before the first number without a name.
/// There must be names up to `last` at least.
template <class Enum>
void check_names(int first, Enum last) {
  std::set<std::string_view> names;
  int end = static_cast<int>(last) + 1;
  while (to_string(static_cast<Enum>(end)) != "?") ++end;
  for (int value = first; value < end; ++value) {
    const std::string_view name = to_string(static_cast<Enum>(value));
    INFO(value, " ", name);
    CHECK(name != "?");
    CHECK(names.insert(name).second);
  }
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("each value of a public enum has a unique name") {
    check_names(1, ErrorCode::too_deep);
    check_names(0, RemovalCause::damaged);
    check_names(1, NoticeKind::writable_by_others);
    check_names(0, HealthState::closed);
    check_names(0, Durability::power);
    check_names(0, Eviction::s3fifo);
  }

  TEST_CASE("to_string returns the name of an enum value") {
    CHECK(to_string(ErrorCode::file_in_use) == "file_in_use");
    CHECK(to_string(RemovalCause::evicted) == "evicted");
    CHECK(to_string(NoticeKind::read_failed) == "read_failed");
    CHECK(to_string(HealthState::degraded) == "degraded");
    CHECK(to_string(Durability::commit) == "commit");
    CHECK(to_string(Eviction::s3fifo) == "s3fifo");
  }

  TEST_CASE("eviction_from returns the policy of each name, and nothing for another text") {
    int policies = 0;
    for (int value = 0; to_string(static_cast<Eviction>(value)) != "?"; ++value, ++policies) {
      CHECK(eviction_from(to_string(static_cast<Eviction>(value))) == static_cast<Eviction>(value));
    }
    CHECK(policies >= 5);
    for (const std::string_view other : {"", "?", "LRU", "lru ", "lfu"}) {
      INFO(other);
      CHECK_FALSE(eviction_from(other));
    }
  }
}
