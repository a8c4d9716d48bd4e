#include "base/printable.hpp"

#include <doctest/doctest.h>

#include <string>

using ashmemo::base::printable;

TEST_SUITE("unit") {
  TEST_CASE("printable escapes control characters and keeps everything else") {
    CHECK(printable("").empty());
    CHECK(printable("Post:42:word_count") == "Post:42:word_count");
    CHECK(printable("gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x98 \xC2\xA0") ==
          "gr\xC3\xBC\xC3\x9F \xF0\x9F\x90\x98 \xC2\xA0");
    CHECK(printable("\x1b[31mred\n\x7f") == "\\x1B[31mred\\x0A\\x7F");
    CHECK(printable(std::string("\0", 1)) == "\\x00");
    CHECK(printable("\xC2\x9B[2J") == "\\xC2\\x9B[2J");
    CHECK(printable("\xC2") == "\xC2");
    CHECK(printable("\\x1B") == "\\x1B");
  }
}
