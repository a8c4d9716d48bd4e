#include "record.hpp"

// A batch calculation that returns one result.
void mistake(ashmemo::Resource<Post>& posts) {
  posts.calculation("words", [](ashmemo::Records<Post> batch) { return batch[0].id; });
}
