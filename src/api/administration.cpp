#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>

#include <fmt/format.h>

#include <ashmemo/error.hpp>

#include "api/core.hpp"
#include "base/platform.hpp"
#include "engine/submit.hpp"

// Explicit administration: the calls that do throw when the store does not work.

namespace ashmemo::detail {

namespace {

[[noreturn]] void throw_failed(std::string_view call, const std::string& path,
                               const std::string& why) {
  throw Error(ErrorCode::store_failed, fmt::format("{}: {} failed: {}", path, call, why), path);
}

// A file that cannot be looked through for its damage is an answer, too.
std::vector<std::string> problems_of(store::Store& store, const std::string& path) {
  auto problems = store.integrity();
  if (problems.ok()) return std::move(*problems);
  if (problems.failure().kind == base::FailureKind::corrupt) return {problems.failure().what};
  throw_failed("check", path, problems.failure().what);
}

}  // namespace

void Core::require_not_in_hook(std::string_view call) const {
  if (!worker.is_in_hook()) return;
  throw Error(
      ErrorCode::misuse,
      fmt::format("{}: {} cannot be called from a hook, because it waits for hooks; call it "
                  "from another thread",
                  engine.path, call),
      engine.path);
}

void Core::require_administrable(std::string_view call) const {
  require_not_in_hook(call);
  if (engine.is_out_of_use()) {
    throw Error(ErrorCode::closed, fmt::format("{}: {}: the cache was closed", engine.path, call),
                engine.path);
  }
}

std::shared_ptr<store::Store> Core::require_store(std::string_view call) const {
  require_administrable(call);
  auto store = engine.store_to_read();
  if (!store) throw_failed(call, engine.path, "there is no cache file at the moment");
  return store;
}

void Core::administer(std::string_view call, base::Status (maintenance::Worker::*work)()) {
  require_administrable(call);
  if (engine.options.access == Access::read_only) return worker.notify();
  const base::Status done = (worker.*work)();
  if (!done.ok()) throw_failed(call, engine.path, done.failure().what);
}

std::size_t Core::erase_range(engine::Range::Kind kind, std::string_view prefix) {
  auto range = std::make_shared<engine::Range>();
  range->kind = kind;
  range->prefix = prefix;
  (void)engine::run_range(engine, range);
  if (engine.process.is_forked_child())
    return 0;  // a forked child: nobody may ever unlock the queue
  return static_cast<std::size_t>(range->removed.load());
}

CheckReport Core::check() {
  const auto store = require_store("check");
  administer("check", &maintenance::Worker::flush);
  CheckReport report;
  report.problems = problems_of(*store, engine.path);
  if (engine.options.access == Access::read_write) {
    auto recount = std::make_shared<engine::Range>();
    recount->kind = engine::Range::Kind::recount;
    if (!engine::run_range(engine, recount)) {
      throw_failed("check", engine.path,
                   "the totals could not be recounted: the file cannot be written");
    }
    const store::Totals off = recount->totals_off;
    report.entries_off_by = off.entries;
    report.bytes_off_by = off.bytes;
  }
  report.ok = report.problems.empty() && report.entries_off_by == 0 && report.bytes_off_by == 0;
  return report;
}

void Core::backup(const std::string& target) {
  const auto store = require_store("backup");
  administer("backup", &maintenance::Worker::flush);
  const store::FileSizes sizes = store->sizes();
  const std::int64_t needed = sizes.file_bytes + sizes.wal_bytes;
  std::error_code unknown;
  const auto folder = std::filesystem::absolute(target, unknown).parent_path();
  const auto space = std::filesystem::space(folder, unknown);
  if (!unknown && space.available < static_cast<std::uintmax_t>(needed)) {
    throw_failed(
        "backup", engine.path,
        fmt::format("{} needs {} bytes, and {} are free there", target, needed, space.available));
  }
  if (const base::Status made = base::create_private_file(target); !made.ok()) {
    throw_failed("backup", engine.path, made.failure().what);
  }
  if (const base::Status copied = store->backup(target); !copied.ok()) {
    (void)base::remove_file(target);
    throw_failed("backup", engine.path, copied.failure().what);
  }
}

Health Core::health() const {
  Health health;
  health.dropped = engine.counters.dropped.get();
  health.state = HealthState::closed;
  if (engine.process.is_forked_child()) return health;
  engine.health.fill(&health);
  health.last_error = engine.notices.last_error();
  health.foreign_reader = worker.has_foreign_reader();
  return health;
}

Stats Core::stats() const {
  const engine::Counters& counted = engine.counters;
  const engine::ReadSums reads = counted.reads.sums();
  Stats stats;
  const bool is_over = engine.is_out_of_use();
  const auto store = is_over ? nullptr : engine.store_to_read();
  if (store || is_over) {
    stats.entries = engine.entries;
    stats.bytes = engine.bytes;
  }
  if (store) {
    const store::FileSizes sizes = store->sizes();
    stats.file_bytes = sizes.file_bytes;
    stats.wal_bytes = sizes.wal_bytes;
  }
  stats.queue_bytes = static_cast<std::int64_t>(engine.pending.bytes());
  if (engine.tier && !engine.process.is_forked_child()) {
    const memory::TierUsage usage = engine.tier->usage();
    stats.memory_entries = usage.entries;
    stats.memory_bytes = usage.bytes;
  }
  stats.hits = reads.hits;
  stats.memory_hits = reads.memory_hits;
  stats.stale_hits = reads.stale_hits;
  stats.misses = reads.misses;
  stats.expired_misses = counted.expired_misses.get();
  stats.undecodable = counted.undecodable.get();
  stats.unread = counted.unread.get();
  stats.computed = counted.computed.get();
  stats.joined = counted.joined.get();
  stats.superseded = counted.superseded.get();
  stats.uncached_keys = counted.uncached_keys.get();
  stats.puts = counted.puts.get();
  stats.refused = counted.refused.get();
  stats.dropped = counted.dropped.get();
  stats.unencodable = counted.unencodable.get();
  stats.erased = counted.erased.get();
  stats.replaced = counted.replaced.get();
  stats.expired = counted.expired.get();
  stats.evicted = counted.evicted.get();
  stats.touches_marked = reads.touches_marked;
  stats.touches_coalesced = reads.touches_coalesced;
  stats.touches_written = counted.touches_written.get();
  stats.touches_dropped = reads.touches_unplaced + counted.touches_lost.get();
  stats.commits = counted.commits.get();
  stats.bytes_written = counted.bytes_written.get();
  stats.worker_errors = counted.worker_errors.get();
  stats.saved = Duration::microseconds(reads.saved_us);
  return stats;
}

}  // namespace ashmemo::detail
