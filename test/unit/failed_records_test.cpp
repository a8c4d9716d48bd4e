#include "engine/failed_records.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include <doctest/doctest.h>

using ashmemo::engine::FailedRecords;

namespace {

constexpr std::int64_t kSecond = 1'000'000;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a record that failed pauses until its pause ends or it succeeds") {
    FailedRecords failed;
    CHECK(failed.empty());
    failed.failed("a", 0, 1, 1);
    CHECK_FALSE(failed.empty());
    CHECK(failed.is_paused("a", kSecond));
    CHECK_FALSE(failed.is_paused("a", kSecond + 1));
    CHECK_FALSE(failed.is_paused("b", 2));
    failed.succeeded("b");
    CHECK(failed.is_paused("a", kSecond));
    failed.succeeded("a");
    CHECK(failed.empty());
    CHECK_FALSE(failed.is_paused("a", 2));
  }

  TEST_CASE("a batch that threw halves the size of the next batch with its records") {
    FailedRecords failed;
    CHECK(failed.max_batch("a") == std::numeric_limits<std::size_t>::max());
    failed.failed("a", 0, 1, 5);
    CHECK(failed.max_batch("a") == 3);
    failed.failed("a", 2, 3, 3);
    CHECK(failed.max_batch("a") == 2);
    failed.failed("a", 4, 5, 2);
    failed.failed("a", 6, 7, 1);
    CHECK(failed.max_batch("a") == 1);
  }

  TEST_CASE("records that no caller asks for in the minute after their pause are forgotten") {
    FailedRecords failed;
    failed.failed("a", 0, 0, 1);
    failed.forget_old(61 * kSecond - 1);  // the next look is a minute later
    CHECK_FALSE(failed.empty());
    failed.forget_old(61 * kSecond);
    CHECK_FALSE(failed.empty());
    failed.forget_old(121 * kSecond);
    CHECK(failed.empty());
  }

  TEST_CASE("the memory for records that failed has a limit") {
    FailedRecords failed;
    const std::string prefix(1'000, 'x');
    const std::size_t records = 4 * FailedRecords::kMaxBytes / prefix.size();
    std::size_t known = 0;
    for (std::size_t i = 0; i < records; ++i) failed.failed(prefix + std::to_string(i), 0, 0, 1);
    for (std::size_t i = 0; i < records; ++i) {
      if (failed.is_paused(prefix + std::to_string(i), 1)) ++known;
    }
    CHECK(known > 0);
    CHECK(known * prefix.size() <= FailedRecords::kMaxBytes);
    CHECK(failed.is_paused(prefix + std::to_string(records - 1), 1));
  }
}
