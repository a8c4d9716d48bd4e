#include "record.hpp"

// A version that cannot be stored.
void mistake(ashmemo::Resource<Post>& posts) {
  posts.record_version([](const Post& post) { return Comment{post.id}; });
}
