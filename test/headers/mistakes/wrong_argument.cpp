#include "record.hpp"

// An argument of another type.
std::string mistake(const ashmemo::Calculation<Post, std::string, int>& excerpt, const Post& post) {
  return excerpt(post, "80");
}
