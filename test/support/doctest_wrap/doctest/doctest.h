#pragma once

// doctest's own meson.build, which the wrap uses, offers <doctest.h>; every installed doctest is
// <doctest/doctest.h>, and so the tests include it by that name.
#include <doctest.h>
