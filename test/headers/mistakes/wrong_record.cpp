#include "record.hpp"

// A record of another resource.
int mistake(const ashmemo::Calculation<Post, int>& words) { return words(Comment{1}).front(); }
