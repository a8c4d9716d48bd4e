#include <doctest/doctest.h>

#include <ashmemo/version.hpp>
#include <string>

TEST_SUITE("unit") {
  TEST_CASE("the library reports the version of its headers") {
    const std::string numbers = std::to_string(ASHMEMO_VERSION_MAJOR) + "." +
                                std::to_string(ASHMEMO_VERSION_MINOR) + "." +
                                std::to_string(ASHMEMO_VERSION_PATCH);
    CHECK(std::string(ashmemo::version()) == numbers);
    CHECK(std::string(ASHMEMO_VERSION) == numbers);
  }
}
