#include <doctest/doctest.h>

#include "maintenance/disk_full_mode.hpp"
#include "support/fake_engine.hpp"

using namespace ashmemo;
using maintenance::DiskFullMode;
using test::FakeEngine;

namespace {

Options limited_to(std::int64_t bytes) {
  Options options = FakeEngine::manual();
  options.limits.max_bytes = bytes;
  options.timing.maintenance_interval = std::chrono::seconds(10);
  return options;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("disk-full mode makes transactions small and ends after one maintenance interval") {
    FakeEngine fake(limited_to(64 * MiB));
    DiskFullMode mode(fake.engine);
    CHECK(mode.portion().rows == 1'000);
    mode.begin();
    CHECK(mode.portion().rows == 32);
    CHECK(mode.portion().bytes == 128 * KiB);
    fake.clock->advance(std::chrono::milliseconds(9'999));
    mode.end_if_due();
    CHECK(mode.is_active());
    mode.begin();  // the disk is still full
    fake.clock->advance(std::chrono::milliseconds(9'999));
    mode.end_if_due();
    CHECK(mode.is_active());
    fake.clock->advance(std::chrono::milliseconds(1));
    mode.end_if_due();
    CHECK_FALSE(mode.is_active());
    CHECK(mode.portion().rows == 1'000);
  }

  TEST_CASE("disk-full mode lowers the limit by a sixteenth of the size, but not below 1 MiB") {
    FakeEngine fake(limited_to(64 * MiB));
    DiskFullMode mode(fake.engine);
    CHECK(mode.max_bytes() == 64 * MiB);
    mode.begin();
    mode.lower_limit(32 * MiB);
    CHECK(mode.max_bytes() == 30 * MiB);
    mode.lower_limit(40 * MiB);  // the limit never rises while the mode lasts
    CHECK(mode.max_bytes() == 30 * MiB);
    mode.lower_limit(MiB / 2);
    CHECK(mode.max_bytes() == MiB);
    fake.clock->advance(std::chrono::seconds(10));
    mode.end_if_due();
    CHECK(mode.max_bytes() == 64 * MiB);
  }

  TEST_CASE("disk-full mode never raises a limit that the user lowers") {
    FakeEngine fake(limited_to(64 * MiB));
    DiskFullMode mode(fake.engine);
    mode.begin();
    mode.lower_limit(32 * MiB);
    fake.engine.limits.set({unlimited, 2 * MiB, MiB});
    CHECK(mode.max_bytes() == 2 * MiB);
  }
}
