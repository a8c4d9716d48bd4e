#include "store/open_files.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "store/forks.hpp"

namespace ashmemo::store {
namespace {

bool is(const base::FileState& state, const base::FileIdentity& identity) {
  return state.type != base::FileType::missing && state.identity == identity;
}

}  // namespace

OpenFiles& OpenFiles::of_this_process() {
  static auto* const files = [] {
    guard_forks();
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

// The descriptors to close. If another entry of this file has connections, closing them would drop their
// locks. So that entry keeps the descriptors.
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
