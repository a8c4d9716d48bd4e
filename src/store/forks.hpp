#pragma once

namespace ashmemo::store {

/// From now on a fork waits until no other thread has a mutex that all caches and SQLite connections of
/// the process share. Otherwise a child could inherit it locked, and hang when it opens a database.
void guard_forks();

}  // namespace ashmemo::store
