#include "engine/engine.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/saturate.hpp"
#include "store/rowid_hints.hpp"

namespace ashmemo::engine {

namespace {

constexpr std::int64_t kDefaultMaxBytes = 256 * MiB;
constexpr std::int64_t kMaxDefaultEntryBytes = 64 * MiB;

/// A calculation that hangs takes at most RefreshQueue::kMaxRunning of them. A thread is started
/// only if a refresh finds all others busy.
constexpr std::size_t kRefreshThreads = 8;

// Microseconds. A failure within 60 such pauses of the last one makes the next pause longer.
constexpr std::int64_t kFirstRecoveryPause = 1'000'000;
constexpr std::int64_t kMaxRecoveryPause = 3'600'000'000;
constexpr std::int64_t kSoon = 60;

/// A writer quarantines a damaged file, so damage degrades only a read-only cache. A value that is
/// too large is not a failure of the store.
bool is_fault_of_reading(base::FailureKind kind, Access access) {
  if (kind == base::FailureKind::corrupt) return access == Access::read_only;
  return kind != base::FailureKind::too_large;
}

std::unique_ptr<memory::MemoryTier> tier_of(const Options& options) {
  return options.access == Access::read_only ? nullptr
                                             : memory::make_memory_tier(options.memory_bytes);
}

std::shared_ptr<Clock> clock_of(const Options& options) {
  return options.hooks.clock ? options.hooks.clock : system_clock();
}

/// The absolute path; the path itself if the current folder does not exist any more.
std::string absolute_of(const std::string& path) {
  if (path.empty() || std::filesystem::path(path).is_absolute()) return path;
  const auto current = base::real_folder(".");
  return current ? (std::filesystem::path(*current) / path).string() : path;
}

Options without_executor(Options options) {
  options.hooks.executor = nullptr;
  return options;
}

}  // namespace

std::shared_ptr<store::Store> StoreSlot::get() const {
  base::Lock lock(mutex_);
  return store_;
}

std::shared_ptr<store::Store> StoreSlot::set(std::shared_ptr<store::Store> store) {
  base::Lock lock(mutex_);
  corruption_.reset();
  std::swap(store_, store);
  has_writer_ = store_ != nullptr && store_->writer() != nullptr;
  return store;
}

bool StoreSlot::mark_corrupt(const store::Store& store, std::string why, Damage damage) {
  base::Lock lock(mutex_);
  if (store_.get() != &store) return false;
  if (!corruption_) corruption_ = Corruption{std::move(why), damage};
  if (damage == Damage::certain) corruption_->damage = Damage::certain;
  return true;
}

std::optional<StoreSlot::Corruption> StoreSlot::corruption() const {
  base::Lock lock(mutex_);
  return corruption_;
}

ResolvedLimits resolve(const Limits& limits) {
  ResolvedLimits out;
  out.max_entries = limits.max_entries.count();
  out.default_max_bytes = !limits.max_bytes.is_set();
  out.max_bytes = out.default_max_bytes ? kDefaultMaxBytes : limits.max_bytes.count();
  out.max_entry_bytes = limits.max_entry_bytes.is_set()
                            ? limits.max_entry_bytes.count()
                            : std::min(out.max_bytes / 8, kMaxDefaultEntryBytes);
  out.max_wal_bytes = limits.max_wal_bytes.is_set() ? limits.max_wal_bytes.count()
                                                    : std::max(out.max_bytes / 4, kMinMaxWalBytes);
  return out;
}

void LimitsCell::set(const Limits& limits) {
  base::Lock lock(mutex_);
  given_ = limits;
  resolved_ = resolve(limits);
}

ResolvedLimits LimitsCell::get() const {
  base::Lock lock(mutex_);
  return resolved_;
}

Limits LimitsCell::as_given() const {
  base::Lock lock(mutex_);
  return given_;
}

void HealthCell::change(HealthState state, std::int64_t wall_now) {
  base::Lock lock(mutex_);
  set_locked(state, reads_degrade_, wall_now);
}

void HealthCell::fill(Health* health) const {
  base::Lock lock(mutex_);
  health->state = shown_locked();
  health->since = since_;
}

void HealthCell::read_failed(bool degrades, const Clock& clock) {
  base::Lock lock(mutex_);
  set_locked(state_, reads_degrade_ || degrades, clock.wall_now());
  const std::int64_t now = clock.steady_now();
  if (!are_reads_failing_) {
    std::int64_t& pause = reads_recover_after_;
    const bool is_soon = now < base::add_saturated(recovers_at_, (kSoon - 1) * pause);
    pause = std::clamp(is_soon ? 2 * pause : 0, kFirstRecoveryPause, kMaxRecoveryPause);
  }
  recovers_at_ = base::add_saturated(now, reads_recover_after_);
  are_reads_failing_ = true;
}

bool HealthCell::read_worked(const Clock& clock) {
  if (clock.steady_now() < recovers_at_) return false;
  base::Lock lock(mutex_);
  if (!are_reads_failing_ || clock.steady_now() < recovers_at_) return false;
  are_reads_failing_ = false;
  set_locked(state_, false, clock.wall_now());
  return true;
}

void HealthCell::end_failing_reads(const Clock& clock) {
  base::Lock lock(mutex_);
  are_reads_failing_ = false;
  reads_recover_after_ = 0;
  set_locked(state_, false, clock.wall_now());
}

HealthState HealthCell::shown_locked() const {
  return state_ == HealthState::ok && reads_degrade_ ? HealthState::degraded : state_;
}

void HealthCell::set_locked(HealthState state, bool reads_degrade, std::int64_t wall_now) {
  const HealthState before = shown_locked();
  state_ = state;
  reads_degrade_ = reads_degrade;
  if (shown_locked() != before || since_ == 0) since_ = wall_now;
}

Engine::Engine(std::string file, const Options& given)
    : Engine(std::move(file), given.hooks.executor, without_executor(given)) {}

Engine::Engine(std::string file, std::shared_ptr<Executor> own, Options given)
    : path(std::move(file)),
      full_path(absolute_of(path)),
      options(std::move(given)),
      clock(clock_of(options)),
      coarse_clock(options.hooks.clock),
      limits(options.limits),
      tier(tier_of(options)),
      hints(std::make_shared<store::RowidHints>(options.hint_bytes)),
      background(own ? nullptr : std::make_shared<base::ThreadPool>(kRefreshThreads)),
      executor(own ? std::move(own) : background),
      refreshes(std::make_shared<RefreshQueue>(executor)),
      in_flight(refreshes.get()),
      pending(static_cast<std::size_t>(options.queue_bytes), clock, in_flight,
              options.timing.max_wait.count()),
      catalog(options.access == Access::read_write),
      notices(static_cast<bool>(options.hooks.on_error)),
      open_store(store::open_store) {}

void Engine::store_failed(const store::Store& failed, const base::Failure& failure) {
  if (store.get().get() != &failed) return;  // it was replaced in the meantime
  const bool is_damaged = failure.kind == base::FailureKind::corrupt;
  const bool may_replace = options.access == Access::read_write;
  if (is_damaged && may_replace && store.mark_corrupt(failed, failure.what) && worker != nullptr) {
    worker->wake_now();
  }
  health.read_failed(is_fault_of_reading(failure.kind, options.access), *clock);
  notices.notify(NoticeKind::read_failed, path + ": reading failed, so reads miss: " + failure.what,
                 path);
}

void Engine::row_is_damaged(std::int64_t rowid) noexcept {
  if (options.access == Access::read_only) return;  // no worker could remove it
  if (suspects.add(rowid) && worker != nullptr) worker->wake_now();
}

void Engine::report_reads_work() {
  notices.notify_end(NoticeKind::read_failed, NoticeKind::recovered, path + ": reading works again",
                     path);
}

}  // namespace ashmemo::engine
