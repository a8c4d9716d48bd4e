#include "store/open_files.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace ashmemo::store {
namespace {

bool is(const base::FileState& state, const base::FileIdentity& identity) {
  return state.type != base::FileType::missing && state.identity == identity;
}

}  // namespace

OpenFiles& OpenFiles::of_this_process() {
  static auto* const files = new OpenFiles;
  return *files;
}

bool OpenFiles::has_engine(const std::string& path, const base::FileState& file,
                           const base::FileState& lock) const {
  return std::any_of(files_.begin(), files_.end(), [&](const OpenFile& open) {
    return open.lock && (open.path == path || is(file, open.file) || is(lock, *open.lock));
  });
}

bool OpenFiles::lists(const base::FileState& file) const {
  return std::any_of(files_.begin(), files_.end(),
                     [&](const OpenFile& open) { return is(file, open.file); });
}

OpenFiles::Entry OpenFiles::add(OpenFile file) {
  return files_.insert(files_.end(), std::move(file));
}

void OpenFiles::remove(Entry entry) {
  end_uses(entry);
  files_.erase(entry);
}

void OpenFiles::replace(Entry entry, const base::FileIdentity& file) {
  end_uses(entry);
  entry->file = file;
}

// If another entry of this file has connections, closing our descriptors would drop their locks. So
// that entry keeps the descriptors.
void OpenFiles::end_uses(Entry entry) {
  const auto other = std::find_if(files_.begin(), files_.end(), [&](const OpenFile& open) {
    return &open != &*entry && open.file == entry->file;
  });
  if (other != files_.end()) {
    std::move(entry->uses.begin(), entry->uses.end(), std::back_inserter(other->uses));
  }
  entry->uses.clear();
}

}  // namespace ashmemo::store
