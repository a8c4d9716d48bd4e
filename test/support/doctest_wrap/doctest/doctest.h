#pragma once

// An installed doctest has the header <doctest/doctest.h>, so the tests use that name. The wrap of
// doctest provides only <doctest.h>.
#include <doctest.h>
