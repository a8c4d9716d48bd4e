#include "record.hpp"

// A page of records of another resource.
void mistake(const ashmemo::Resource<Post>& posts, const ashmemo::Calculation<Post, int>& words) {
  (void)posts.load(std::vector<Comment>{{1}}, words);
}
