#include "maintenance/store_supervisor.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/platform.hpp"
#include "base/saturate.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// Most failures end soon, so the first pause is short. The maximum makes later attempts cheap.
constexpr std::int64_t kFirstBackOff = 100'000;
constexpr std::int64_t kMaxBackOff = 10'000'000;

// After this many openings that could not read the file, the next one takes it for damaged. That is
// half a minute after the first one. A bad sector stays bad, but a network or a device may come
// back.
constexpr int kMaxFailedReads = 9;

// If a new file is found damaged within this time, the disk is at fault. Then quarantines are as
// rare as other failed openings, and the copy of the first file is kept.
constexpr std::int64_t kTrustedAfter = 60'000'000;

// Work that meets damage is repeated at once, or at the latest by the next deletion or checkpoint.
// Damage that nothing meets again in this time was not in the file.
constexpr std::int64_t kSuspectedFor = 3'600'000'000;

/// Whether the file may be readable although it could not be opened for writing.
bool may_be_readable(const base::Failure& failure) {
  return failure.kind == base::FailureKind::full || base::is_forbidden(failure);
}

/// Ends a failure of reads even if no caller reads any more. A read by the writer would prove
/// nothing, because the writer has its own connection and page cache.
void look_at_reads(engine::Engine& engine, store::Store& store) {
  if (engine.health.are_reads_failing() && store.last_stamp().ok()) engine.store_was_read();
}

std::string_view loss_of(const store::Store& store, const std::string& path) {
  const auto file = base::inspect(path);
  if (file && file->type != base::FileType::missing && !store.is_log_in_place()) {
    return "-wal was deleted or replaced while it was open: the file is opened again, and writes "
           "that were not acknowledged are repeated";
  }
  return " was deleted, moved away or replaced while it was open: what was in it is gone, and the "
         "path is opened again";
}

}  // namespace

store::OpenOptions StoreSupervisor::open_options() {
  const Options& options = engine_.options;
  store::OpenOptions open;
  open.path = engine_.full_path;
  open.read_only = is_read_only();
  open.synced = options.durability == Durability::power;
  open.erase_securely = options.erase_securely;
  open.exclusive = options.exclusive;
  open.reserves_later = options.hooks.worker == WorkerMode::thread;
  open.reader_cache_bytes = options.reader_cache_bytes;
  open.writer_cache_bytes = options.writer_cache_bytes;
  open.hints = engine_.hints;
  open.max_entry_bytes = engine_.limits.get().max_entry_bytes;
  open.clock = engine_.clock;
  open.found_corrupt = found_corrupt_;
  open.corrupt_file = corrupt_file_;
  open.corrupt_file_is_new = is_file_new();
  open.gives_up_reading = failed_reads_ >= kMaxFailedReads;
  open.on_quarantine = [this](const std::string& file, const std::string& renamed_to,
                              const std::string& why) {
    replaced_at_ = engine_.clock->steady_now();
    engine_.notices.notify(NoticeKind::quarantined,
                           file + " was damaged (" + why + "): renamed to " + renamed_to +
                               "; remove it when you do not need it",
                           file);
  };
  open.on_exposed = [this](const std::string& file) {
    const std::string_view what =
        is_read_only() ? " can be written by other users: they can change results; open it for "
                         "writing once, or set its mode to 0600"
                       : " can be written by other users, because its file system keeps its own "
                         "modes: they can change results; choose a folder on another file system, "
                         "or set the modes when it is mounted";
    engine_.notices.notify(NoticeKind::writable_by_others, file + std::string(what), file);
  };
  return open;
}

Status StoreSupervisor::open() {
  Status opened = open_once();
  if (opened.ok() || is_read_only()) return opened;
  const base::FailureKind kind = opened.failure().kind;
  const bool may_open_now =  // it found damage, or the file was replaced while it was opened
      kind == base::FailureKind::corrupt || kind == base::FailureKind::unavailable;
  if (!may_open_now) return opened;
  opened = open_once();
  const bool is_damaged = !opened.ok() && opened.failure().kind == base::FailureKind::corrupt;
  return is_damaged && !found_corrupt_.empty() ? open_once() : opened;  // quarantines the file
}

bool StoreSupervisor::is_read_only() const { return engine_.options.access == Access::read_only; }

bool StoreSupervisor::is_file_new() const {
  return replaced_at_ &&
         engine_.clock->steady_now() < base::add_saturated(*replaced_at_, kTrustedAfter);
}

/// The next opening will quarantine the file of `store`, if it is still at the path and its damage
/// is certain. If another file has replaced it, the opening checks that file first.
void StoreSupervisor::mark_corrupt(const store::Store& store, const std::string& why,
                                   engine::Damage damage) {
  const auto file = base::inspect(engine_.full_path);
  if (!file || root_.has_changed() || !store.still_in_place()) return;
  if (damage == engine::Damage::suspected) {
    const std::int64_t now = engine_.clock->steady_now();
    const bool is_again = suspect_ && suspect_->file == file->identity && now < suspect_->until;
    suspect_ = Suspect{file->identity, base::add_saturated(now, kSuspectedFor)};
    if (!is_again) return;
  }
  found_corrupt_ = why.empty() ? "found damaged" : why;
  corrupt_file_ = file->identity;
}

base::Result<std::unique_ptr<store::Store>> StoreSupervisor::open_store(
    const store::OpenOptions& options) {
  if (const Status same = root_.check(engine_.full_path); !same.ok()) return same.failure();
  return engine_.open_store(options);
}

Status StoreSupervisor::open_once() {
  auto opened = open_store(open_options());
  if (!opened.ok()) return opened.failure();
  found_corrupt_.clear();  // the file was quarantined or is gone
  if (Status loaded = load(**opened); !loaded.ok()) {
    base::Failure failure = loaded.failure();
    // Opening checks only the form of the file. This was the first read of its rows.
    const bool gives_up = failed_reads_ >= kMaxFailedReads && store::is_unreadable(failure);
    if (failure.kind == base::FailureKind::corrupt || gives_up) {
      mark_corrupt(**opened, failure.what,
                   gives_up ? engine::Damage::certain : engine::Damage::suspected);
    }
    (*opened)->close();
    failure.what = "cannot open the cache '" + engine_.path + "': " + failure.what;
    return failure;
  }
  adopt(std::move(*opened));
  return {};
}

/// Uses the file for reads only. The memory tier keeps its content, because it has no rows of a
/// file that is only read.
void StoreSupervisor::open_for_reading() {
  store::OpenOptions options = open_options();
  options.read_only = true;
  options.exclusive = false;  // there is no writer that keeps others out
  options.on_exposed = nullptr;
  auto opened = open_store(options);
  if (!opened.ok()) return;
  if (!load(**opened).ok()) return (*opened)->close();
  engine_.store.set(std::move(*opened));
}

/// Reads the calculations, the last stamp and the totals of the file, and writes the calculations
/// that the file does not know.
Status StoreSupervisor::load(store::Store& store) {
  const auto calculations = store.calculations();
  if (!calculations.ok()) return calculations.failure();
  const auto stamp = store.last_stamp();
  if (!stamp.ok()) return stamp.failure();
  const auto totals = store.totals();
  if (!totals.ok()) return totals.failure();
  const auto unwritten = engine_.catalog.load(*calculations);
  Status written = write_calculations(store, unwritten);
  if (!written.ok() || store.writer() == nullptr) engine_.catalog.give_back_unwritten(unwritten);
  if (!written.ok()) return written;
  engine_.sequence_clock.raise(*stamp);
  engine_.entries = totals->entries;
  engine_.bytes = totals->bytes;
  return {};
}

/// The row of a calculation must precede its entries. Otherwise its id could be used for another
/// calculation.
Status StoreSupervisor::write_calculations(store::Store& store,
                                           const std::vector<store::CalculationRow>& rows) {
  store::Writer* const writer = store.writer();
  if (rows.empty() || writer == nullptr) return {};
  if (const auto begun = writer->begin(); !begun.ok()) return begun.failure();
  for (const store::CalculationRow& row : rows) {
    if (Status put = writer->put_calculation(row); !put.ok()) return put;
  }
  return writer->commit(engine_.options.durability == Durability::power);
}

void StoreSupervisor::adopt(std::unique_ptr<store::Store> store) {
  engine_.access_buffer.clear();  // its rowids belong to another file
  failed_reads_ = 0;
  if (!is_file_new()) back_off_ = 0;
  {
    const memory::TierChange change(engine_.tier.get());
    engine_.store.set(std::move(store));
  }
  engine_.pending.set_refusing(false);
  engine_.set_health(HealthState::ok);
  engine_.health.end_failing_reads(*engine_.clock);
  engine_.notices.end(NoticeKind::read_failed);
  engine_.notices.notify_end(NoticeKind::unavailable, NoticeKind::available,
                             engine_.path + " is open again", engine_.path);
}

std::shared_ptr<store::Store> StoreSupervisor::ensure() {
  if (engine_.store.corruption()) look_at_file();  // the path may mean another file now
  if (const auto corruption = engine_.store.corruption()) {
    // While a file is only read, another program may write it, so a failed read proves no damage.
    if (engine_.store.has_writer()) {
      mark_corrupt(*engine_.store.get(), corruption->why, corruption->damage);
    }
    drop_store();
    if (is_file_new()) {
      postpone({base::FailureKind::corrupt, 0, "a new file is damaged: " + corruption->why});
    }
  }
  auto store = engine_.store.get();
  if (store) store->allow_entries_of(engine_.limits.get().max_entry_bytes);
  const bool is_final = store && (store->writer() != nullptr || is_read_only());
  if (is_final || engine_.closed || engine_.clock->steady_now() < next_try_) return store;
  if (store && root_.has_changed()) return store;  // no other could be opened
  if (const auto only_read = engine_.store.set(nullptr)) only_read->close();
  if (Status opened = open(); !opened.ok()) postpone(opened.failure());
  return engine_.store.get();
}

void StoreSupervisor::postpone(const base::Failure& failure) {
  failed_reads_ = store::is_unreadable(failure) ? failed_reads_ + 1 : 0;
  back_off_ = std::clamp(back_off_ * 2, kFirstBackOff, kMaxBackOff);
  next_try_ = base::add_saturated(engine_.clock->steady_now(), back_off_);
  engine_.pending.set_refusing(true);
  const bool can_read = may_be_readable(failure) && !is_read_only();
  if (can_read && found_corrupt_.empty() && !engine_.store.get()) open_for_reading();
  const bool reads = engine_.store.get() && !engine_.store.has_writer();
  engine_.set_health(reads ? HealthState::degraded : HealthState::unavailable);
  engine_.notices.notify(
      NoticeKind::unavailable,
      fmt::format("{}: {} at the moment ({}); {}; it is tried again", engine_.path,
                  reads ? "the cache file can only be read" : "there is no cache file",
                  failure.what,
                  engine_.tier ? "what is stored is kept in memory only"
                  : reads      ? "writes are not kept"
                               : "reads miss, writes are not kept"),
      engine_.path);
}

void StoreSupervisor::look_at_file() {
  const auto store = engine_.store.get();
  if (!store) return;
  if (!store->still_in_place()) {
    engine_.notices.notify(NoticeKind::file_lost,
                           engine_.path + std::string(loss_of(*store, engine_.full_path)),
                           engine_.path);
    next_try_ = 0;
    return drop_store();
  }
  look_at_reads(engine_, *store);
  if (store->writer() != nullptr) return;
  if (const Status loaded = load(*store); !loaded.ok()) {
    engine_.store_failed(*store, loaded.failure());
  }
}

void StoreSupervisor::follow() {
  look_at_file();
  (void)ensure();
}

// From here the store counts as refusing to write. Closing waits for reads, which may take long.
// Callers that wait for a commit must not wait for these reads.
std::shared_ptr<store::Store> StoreSupervisor::take_store() {
  engine_.pending.set_refusing(true);
  const memory::TierChange change(engine_.tier.get());
  return engine_.store.set(nullptr);
}

// A read-only store holds no lock, so there is nothing to wait for. The last shared_ptr closes it.
void StoreSupervisor::drop_store() {
  const auto old = take_store();
  if (!old || is_read_only()) return;
  if (old->writer() == nullptr) engine_.set_health(HealthState::unavailable);
  old->close();
}

void StoreSupervisor::close() {
  if (const auto old = take_store()) old->close();
}

}  // namespace ashmemo::maintenance
