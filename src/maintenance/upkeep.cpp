#include "maintenance/upkeep.hpp"

#include <algorithm>

namespace ashmemo::maintenance {

using base::Status;

namespace {

// A checkpoint writes each changed page once, however often it is in the log, so a larger log saves
// writes; it also costs disk, and the time to look a page up in it.
constexpr std::int64_t kCheckpointBytes = 4 * MiB;

// Nothing is added to a log of this length while our own reads keep it from starting over.
constexpr std::int64_t kMaxLogBytes = 2 * kCheckpointBytes;

// Free pages up to this share of the file are kept: new entries will need them soon.
constexpr std::int64_t kKeptShare = 16;
constexpr std::int64_t kPageBytes = 4096;
constexpr int kPagesAtOnce = 256;

}  // namespace

Status Upkeep::judge(const store::Store& store, const base::Failure& failure) const {
  if (failure.kind == base::FailureKind::busy) return {};
  if (failure.kind == base::FailureKind::corrupt) engine_.store.mark_corrupt(store, failure.what);
  return failure;
}

bool Upkeep::wants_checkpoint(store::Store& store) const {
  // Not the size of its file, which stays as it was when the log starts over.
  return store.writer()->wal_bytes() >= kCheckpointBytes;
}

Status Upkeep::checkpoint(store::Store& store, bool truncate) {
  const auto done = store.writer()->checkpoint(truncate);
  own_reader_ = done.ok() && done->own_reader;
  if (!done.ok()) return judge(store, done.failure());
  if (done->own_reader) return {};  // behind it a foreign one is not seen: it may still be there
  foreign_reader_ = done->foreign_reader;
  if (done->foreign_reader) {
    engine_.notices.notify(NoticeKind::foreign_reader,
                           engine_.path +
                               "-wal cannot start over: another program has been reading "
                               "the file since before the last commits",
                           engine_.path);
  } else {
    engine_.notices.notify_end(NoticeKind::foreign_reader, NoticeKind::recovered,
                               engine_.path + "-wal starts over again", engine_.path);
  }
  return {};
}

base::Result<bool> Upkeep::make_wal_space(store::Store& store) {
  if (!wants_checkpoint(store)) return true;
  if (Status moved = checkpoint(store, false); !moved.ok()) return moved.failure();
  return !own_reader_ || store.writer()->wal_bytes() < kMaxLogBytes;
}

Status Upkeep::vacuum_some(store::Store& store, bool* more) {
  *more = false;
  const auto free = store.writer()->vacuum(0);
  if (!free.ok()) return judge(store, free.failure());
  const auto bytes = store.writer()->bytes_when_moved();
  if (!bytes.ok()) return judge(store, bytes.failure());
  const std::int64_t kept = *bytes / kPageBytes / kKeptShare;
  if (*free <= std::max<std::int64_t>(kept, kPagesAtOnce)) return {};
  const std::int64_t surplus = std::min<std::int64_t>(*free - kept, kPagesAtOnce);
  const auto left = store.writer()->vacuum(static_cast<int>(surplus));
  if (!left.ok()) return judge(store, left.failure());
  *more = *left > kept && *left < *free;  // where nothing can be given back, trying again is no use
  return {};
}

base::Result<bool> Upkeep::can_shrink(store::Store& store) const {
  const auto bytes = store.writer()->bytes_when_moved();
  if (!bytes.ok()) return bytes.failure();
  return *bytes < store.sizes().file_bytes;
}

Status Upkeep::vacuum_all(store::Store& store, const std::function<Status()>& find_wal_space) {
  std::int64_t before = base::kForever;
  while (true) {
    if (Status s = find_wal_space(); !s.ok()) return s;
    const auto left = store.writer()->vacuum(kPagesAtOnce);
    if (!left.ok()) return left.failure();
    if (*left == 0 || *left >= before) return {};
    before = *left;
  }
}

}  // namespace ashmemo::maintenance
