#include "store/reader_pool.hpp"

#include <algorithm>
#include <thread>

#include "base/platform.hpp"
#include "store/sqlite_error.hpp"

namespace ashmemo::store {
namespace {

base::Failure closed_failure() {
  return {base::FailureKind::unavailable, 0, "the store is closed"};
}

// Whether opening failed for a reason that does not concern a reader that is open. `other`: there
// is no memory.
bool is_refused(const base::Failure& failure) {
  return failure.kind == base::FailureKind::io || failure.kind == base::FailureKind::other;
}

}  // namespace

ReaderPool::Size ReaderPool::default_size() noexcept {
  return {std::clamp<std::size_t>(std::thread::hardware_concurrency(), 2, 8), 16};
}

ReaderPool::ReaderPool(std::string path, const ConnectionOptions& options, SnapshotRule rule,
                       Size size, std::function<base::Status()> in_place,
                       std::shared_ptr<RowidHints> hints)
    : path_(std::move(path)),
      options_(options),
      rule_(std::move(rule)),
      size_(size),
      in_place_(std::move(in_place)),
      hints_(std::move(hints)),
      max_value_bytes_(options.max_value_bytes) {
  const base::Lock lock(mutex_);
  idle_.reserve(size_.max);  // so that giving back cannot fail
}

void ReaderPool::add(std::unique_ptr<Connection> connection) {
  static_cast<void>(guarded(nullptr, "adding a reader", [&] {
    auto reader = Reader::on(std::move(connection), rule_, hints_, path_);
    if (!reader) return;
    const base::Lock lock(mutex_);
    Slot* const slot = add_slot_locked(false);
    slot->reader = std::move(*reader);
    slot->busy = false;
    idle_.push_back(slot);
  }));
}

base::Result<ReaderPool::Lease> ReaderPool::lease() {
  while (true) {
    Slot* slot = nullptr;
    bool is_new = false;
    {
      const base::Lock lock(mutex_);
      while (!closed_ && idle_.empty() && shared_ >= size_.max) free_.wait(mutex_);
      if (closed_) return closed_failure();
      is_new = idle_.empty();
      slot = is_new ? add_slot_locked(false) : take_idle_locked();
    }
    if (is_new) return open_or_wait(slot);
    Lease lease(this, slot);
    if (renew(slot)) return lease;
    slot->reader.reset();
  }
}

// A program that has given up its rights cannot open the file again. So a reader is used further if
// the system refuses to open another one. Returns false if the reader must be closed.
bool ReaderPool::renew(Slot* slot) const {
  if (slot->has_failed || slot->reader->must_be_renewed()) {
    auto renewed = open_reader(*slot);
    if (renewed) {
      slot->reader = std::move(*renewed);
    } else if (!slot->has_failed || is_refused(renewed.failure())) {
      slot->reader->go_on_without_renewal();
    } else {
      return false;
    }
    slot->has_failed = false;
  }
  return slot->reader->is_current();
}

base::Result<ReaderPool::Lease> ReaderPool::dedicated() {
  Slot* added = nullptr;
  {
    const base::Lock lock(mutex_);
    if (closed_) return closed_failure();
    added = add_slot_locked(true);
  }
  return open_or_wait(added);
}

// A program that has given up its rights or changed its root directory cannot open the file any
// more. Its open readers still work, so this waits for one of them.
base::Result<ReaderPool::Lease> ReaderPool::open_or_wait(Slot* added) {
  auto opened = open(added);
  if (opened || opened.failure().kind != base::FailureKind::io) return opened;
  Slot* slot = nullptr;
  {
    const base::Lock lock(mutex_);
    while (!closed_ && idle_.empty() && shared_ > 0) free_.wait(mutex_);
    if (closed_ || idle_.empty()) return opened;
    slot = take_idle_locked();
  }
  Lease lease(this, slot);
  if (slot->reader->is_current()) return lease;
  slot->reader.reset();
  return opened;
}

ReaderPool::Slot* ReaderPool::take_idle_locked() {
  const std::thread::id user = std::this_thread::get_id();
  const auto own = std::find_if(idle_.rbegin(), idle_.rend(),
                                [user](const Slot* slot) { return slot->user == user; });
  const auto at = own == idle_.rend() ? idle_.end() - 1 : own.base() - 1;
  Slot* const slot = *at;
  idle_.erase(at);
  slot->user = user;
  slot->busy = true;
  slot->epoch = epoch_;
  slot->reader->allow_values_of(max_value_bytes_);
  return slot;
}

ReaderPool::Slot* ReaderPool::add_slot_locked(bool dedicated) {
  slots_.push_back(std::make_unique<Slot>());
  Slot* const slot = slots_.back().get();
  slot->dedicated = dedicated;
  slot->user = std::this_thread::get_id();
  slot->epoch = epoch_;
  if (!dedicated) slot->is_extra = ++shared_ > size_.full;
  return slot;
}

// Opens without the mutex, because opening reads the file and other reads must continue. The slot
// is freed unless this succeeds; otherwise it would stay used.
base::Result<ReaderPool::Lease> ReaderPool::open(Slot* slot) {
  Lease lease(this, slot);
  lease.discard();
  auto reader = open_reader(*slot);
  if (!reader) return reader.failure();
  slot->reader = std::move(reader.value());
  lease.keep_ = true;
  return lease;
}

// Another file may be at the path now. The check before opening keeps us from opening it; the check
// afterwards notices a file that appeared in between. Opening may create FILE-shm.
base::Result<std::unique_ptr<Reader>> ReaderPool::open_reader(const Slot& slot) const {
  const base::FileSizeSignalBlock block;
  if (const auto found = in_place_(); !found) return found.failure();
  ConnectionOptions options = options_;
  options.max_value_bytes = max_value_bytes_;
  if (slot.is_extra) options.cache_bytes = std::min(options.cache_bytes, kExtraCacheBytes);
  auto reader = Reader::open(path_, options, rule_, hints_);
  if (!reader) return reader;
  if (const auto found = in_place_(); !found) return found.failure();
  return reader;
}

void ReaderPool::give_back(Slot* slot, bool keep) noexcept {
  if (!slot->reader || slot->dedicated) return remove(slot);
  slot->reader->finish();
  if (!keep) slot->reader->let_go();
  if (!keep && slot->reader->holds_snapshot()) return remove(slot);  // it could not be ended
  const base::Lock lock(mutex_);
  if (!keep) slot->has_failed = true;
  if (slot->epoch != epoch_) slot->reader->let_go();
  slot->busy = false;
  idle_.push_back(slot);
  free_.notify_one();
  changed_.notify_all();
}

void ReaderPool::remove(Slot* slot) noexcept {
  slot->reader.reset();
  const base::Lock lock(mutex_);
  if (!slot->dedicated) --shared_;
  std::erase_if(slots_, [slot](const auto& each) { return each.get() == slot; });
  free_.notify_all();
  changed_.notify_all();
}

void ReaderPool::release_snapshots(std::int64_t max_age) noexcept {
  const base::Lock lock(mutex_);
  for (Slot* const slot : idle_) {
    if (slot->reader->snapshot_age() >= max_age) slot->reader->let_go();
  }
}

bool ReaderPool::renew_snapshots(std::chrono::milliseconds at_most) noexcept {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  const base::Lock lock(mutex_);
  const std::uint64_t epoch = ++epoch_;
  for (Slot* const slot : idle_) slot->reader->let_go();
  while (busy_since_before_locked(epoch)) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) return false;
    changed_.wait_for(mutex_, std::chrono::ceil<std::chrono::microseconds>(left));
  }
  return true;
}

bool ReaderPool::busy_since_before_locked(std::uint64_t epoch) const noexcept {
  return std::any_of(slots_.begin(), slots_.end(),
                     [epoch](const auto& slot) { return slot->busy && slot->epoch < epoch; });
}

void ReaderPool::close() noexcept {
  std::vector<std::unique_ptr<Slot>> closing;
  const base::Lock lock(mutex_);
  closed_ = true;
  free_.notify_all();
  while (idle_.size() != slots_.size()) changed_.wait(mutex_);
  idle_.clear();
  closing.swap(slots_);
  shared_ = 0;
}

}  // namespace ashmemo::store
