#include "record.hpp"

// A callable with more than one signature.
void mistake(ashmemo::Resource<Post>& posts) {
  posts.calculation("words", [](const auto& post) { return post.id; });
}
