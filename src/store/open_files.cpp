#include "store/open_files.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <new>
#include <thread>
#include <utility>

namespace ashmemo::store {
namespace {

// ---- forks. A fork waits until no other thread has a mutex that all caches and SQLite connections
// share. Otherwise a child could inherit it locked, and hang when it opens a database.

// The mutexes of SQLite, in the order in which it locks them. Our connections have no mutexes.
constexpr std::array kKinds{SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_MAIN,
                            SQLITE_MUTEX_STATIC_VFS1, SQLITE_MUTEX_STATIC_LRU,
                            SQLITE_MUTEX_STATIC_PMEM, SQLITE_MUTEX_STATIC_PRNG,
                            SQLITE_MUTEX_STATIC_MEM};

// SQLite holds most of them for a microsecond, but STATIC_VFS1 also while it opens or closes a
// file. If a network drive does not answer there, the fork goes on without that mutex.
constexpr std::chrono::seconds kMaxWait{1};
constexpr std::chrono::microseconds kPause{100};

using Mutexes = std::array<sqlite3_mutex*, kKinds.size()>;

// Null pointers if SQLite has no mutexes. SQLite's functions ignore these.
const Mutexes& mutexes() {
  static const Mutexes all = [] {
    Mutexes made{};
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = sqlite3_mutex_alloc(kKinds[i]);
    return made;
  }();
  return all;
}

// Which of these mutexes this thread locked for its fork.
thread_local std::array<bool, kKinds.size()> locked{};

void lock_sqlite() {
  const auto deadline = std::chrono::steady_clock::now() + kMaxWait;
  for (std::size_t i = 0; i < locked.size(); ++i) {
    while (true) {
      locked[i] = sqlite3_mutex_try(mutexes()[i]) == SQLITE_OK;
      if (locked[i] || std::chrono::steady_clock::now() >= deadline) break;
      std::this_thread::sleep_for(kPause);
    }
  }
}

void unlock_sqlite() {
  for (std::size_t i = locked.size(); i-- > 0;) {
    if (locked[i]) sqlite3_mutex_leave(mutexes()[i]);
  }
}

void before_fork() ASHMEMO_THREAD(no_thread_safety_analysis) {
  OpenFiles::of_this_process().mutex.lock();
  lock_sqlite();
}

void after_fork() ASHMEMO_THREAD(no_thread_safety_analysis) {
  unlock_sqlite();
  OpenFiles::of_this_process().mutex.unlock();
}

// ---- the table

bool is(const base::FileState& state, const base::FileIdentity& identity) {
  return state.type != base::FileType::missing && state.identity == identity;
}

}  // namespace

OpenFiles& OpenFiles::of_this_process() {
  static auto* const files = [] {
    (void)mutexes();
    base::at_fork(before_fork, after_fork);
    return new OpenFiles;
  }();
  return *files;
}

OpenFiles::Turn::Turn(OpenFiles& table, const std::string& path) noexcept
    : table_(table), path_(path) {
  const base::Lock lock(table_.mutex);
  // A forked child does not wait for a turn of a thread of its parent.
  const auto has_turn = [this](const auto& turns) {
    const auto turn = turns.find(path_);
    return turn != turns.end() && !turn->second.is_forked_child();
  };
  while (has_turn(table_.turns_)) table_.turn_ended_.wait(table_.mutex);
  try {
    table_.turns_[path_] = base::ProcessMark();
    is_taken_ = true;
  } catch (const std::bad_alloc&) {  // goes on, because closing must not fail
  }
}

OpenFiles::Turn::~Turn() {
  if (!is_taken_) return;
  const base::Lock lock(table_.mutex);
  table_.turns_.erase(path_);
  table_.turn_ended_.notify_all();
}

bool OpenFiles::has_engine(const std::string& path, const base::FileState& file,
                           const base::FileState& lock) const {
  const base::Lock guard(mutex);
  return std::any_of(files_.begin(), files_.end(), [&](const OpenFile& open) {
    return open.lock && !open.process.is_forked_child() &&
           (open.path == path || is(file, open.file) || is(lock, *open.lock));
  });
}

bool OpenFiles::is_inherited(const base::FileState& file) const {
  const base::Lock guard(mutex);
  return std::any_of(files_.begin(), files_.end(), [&](const OpenFile& open) {
    return open.process.is_forked_child() && is(file, open.file);
  });
}

bool OpenFiles::lists(const base::FileState& file) const {
  const base::Lock guard(mutex);
  return std::any_of(files_.begin(), files_.end(),
                     [&](const OpenFile& open) { return is(file, open.file); });
}

OpenFiles::Entry OpenFiles::add(OpenFile file) {
  const base::Lock guard(mutex);
  return files_.insert(files_.end(), std::move(file));
}

void OpenFiles::remove(Entry entry) {
  Uses ended;  // closed after the mutex is released
  const base::Lock guard(mutex);
  ended = take_uses(entry);
  files_.erase(entry);
}

void OpenFiles::replace(Entry entry, const base::FileIdentity& file) {
  Uses ended;  // closed after the mutex is released
  const base::Lock guard(mutex);
  ended = take_uses(entry);
  entry->file = file;
}

// The first lock of an entry is its own.
std::unique_ptr<base::RangeLock> OpenFiles::take_unused(const base::FileIdentity& file,
                                                        base::RangeLock::Mode for_locks) {
  const base::Lock guard(mutex);
  for (OpenFile& open : files_) {
    if (open.uses.empty() || !(open.file == file)) continue;
    const auto unused = std::find_if(open.uses.begin() + 1, open.uses.end(), [&](const auto& use) {
      return use->made_for() == for_locks && !use->is_locked();
    });
    if (unused == open.uses.end()) continue;
    auto taken = std::move(*unused);
    open.uses.erase(unused);
    return taken;
  }
  return nullptr;
}

// Returns the descriptors to close. If another entry has the same file, returns none: closing them
// would drop the locks of that entry's connections. That entry gets the descriptors.
OpenFiles::Uses OpenFiles::take_uses(Entry entry) {
  const auto other = std::find_if(files_.begin(), files_.end(), [&](const OpenFile& open) {
    return &open != &*entry && open.file == entry->file;
  });
  Uses uses = std::move(entry->uses);
  if (other == files_.end()) return uses;
  std::move(uses.begin(), uses.end(), std::back_inserter(other->uses));
  return {};
}

}  // namespace ashmemo::store
