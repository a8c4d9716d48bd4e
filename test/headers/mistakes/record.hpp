#pragma once

#include <ashmemo/ashmemo.hpp>
#include <string>
#include <vector>

// For the programs of this folder. Each has one mistake, which the compiler must report in plain
// words.

struct Post {
  int id;
  std::string text;
};

struct Comment {
  int id;
};
