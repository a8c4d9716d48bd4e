#include "engine/engine.hpp"

#include <algorithm>
#include <utility>

#include "base/saturate.hpp"

namespace ashmemo::engine {

namespace {

constexpr std::int64_t kDefaultMaxBytes = 256 * MiB;
constexpr std::int64_t kMostDefaultEntry = 64 * MiB;

std::unique_ptr<MemoryTier> tier_of(const Options& options) {
  return options.access == Access::read_only ? nullptr : make_memory_tier(options.memory_bytes);
}

std::shared_ptr<Clock> clock_of(const Options& options) {
  return options.hooks.clock ? options.hooks.clock : system_clock();
}

}  // namespace

std::shared_ptr<store::Store> StoreSlot::get() const {
  base::Lock lock(mutex_);
  return store_;
}

std::shared_ptr<store::Store> StoreSlot::set(std::shared_ptr<store::Store> store) {
  base::Lock lock(mutex_);
  condemned_.reset();
  std::swap(store_, store);
  is_there_ = store_ != nullptr;
  return store;
}

bool StoreSlot::condemn(const store::Store& store, std::string why) {
  base::Lock lock(mutex_);
  if (store_.get() != &store) return false;
  if (!condemned_) condemned_ = std::move(why);
  return true;
}

std::optional<std::string> StoreSlot::condemned() const {
  base::Lock lock(mutex_);
  return condemned_;
}

ResolvedLimits resolve(const Limits& limits) {
  ResolvedLimits out;
  out.max_entries = limits.max_entries.count();
  out.default_max_bytes = !limits.max_bytes.is_set();
  out.max_bytes = out.default_max_bytes ? kDefaultMaxBytes : limits.max_bytes.count();
  out.max_entry_bytes = limits.max_entry_bytes.is_set()
                            ? limits.max_entry_bytes.count()
                            : std::min(out.max_bytes / 8, kMostDefaultEntry);
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
  if (state == state_ && since_ != 0) return;
  state_ = state;
  since_ = wall_now;
}

void HealthCell::fill(Health* health) const {
  base::Lock lock(mutex_);
  health->state = state_;
  health->since = since_;
}

Engine::Engine(std::string file, Options given)
    : path(std::move(file)),
      options(std::move(given)),
      clock(clock_of(options)),
      rough_clock(options.hooks.clock),
      limits(options.limits),
      tier(tier_of(options)),
      pending(static_cast<std::size_t>(options.queue_bytes), clock, flights,
              options.timing.max_wait.count()),
      background(options.hooks.executor ? nullptr : std::make_shared<base::BackgroundThread>()),
      executor(options.hooks.executor ? options.hooks.executor : background),
      open_store(store::open_store) {}

bool Engine::is_out_of_use() const noexcept { return closed.load() || home.is_elsewhere(); }

void Engine::store_failed(const store::Store& failed, const base::Failure& failure) {
  if (store.get().get() != &failed) return;  // it has been closed and replaced meanwhile
  if (failure.kind == base::FailureKind::corrupt && store.condemn(failed, failure.what)) {
    if (worker != nullptr) worker->wake_now();
  }
  notices.tell(NoticeKind::read_failed,
               path + ": reading failed, answered as misses: " + failure.what, path);
}

}  // namespace ashmemo::engine
