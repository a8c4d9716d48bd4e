#include "api/core.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include <ashmemo/error.hpp>
#include <ashmemo/key_part.hpp>

#include "api/options.hpp"
#include "base/platform.hpp"
#include "base/test_point.hpp"
#include "engine/in_flight.hpp"
#include "engine/submit.hpp"
#include "store/file_check.hpp"
#include "store/rowid_hints.hpp"

namespace ashmemo::detail {

namespace {

constexpr std::size_t kShownBytes = 100;  // of a key that is refused

[[noreturn]] void throw_unopened(const base::Failure& failure, const std::string& path) {
  switch (failure.kind) {
    case base::FailureKind::in_use:
      throw Error(ErrorCode::file_in_use, failure.what, path);
    case base::FailureKind::not_ours:
      throw Error(ErrorCode::not_a_cache, failure.what, path);
    case base::FailureKind::corrupt:
      throw Error(ErrorCode::damaged, failure.what, path);
    default:
      throw Error(ErrorCode::unavailable, failure.what, path);
  }
}

bool may_go_on(const base::Failure& failure, const Options& options) {
  const bool refused = failure.kind == base::FailureKind::in_use ||
                       failure.kind == base::FailureKind::not_ours ||
                       failure.kind == base::FailureKind::unusable;
  return !refused && options.when_unavailable == WhenUnavailable::go_on;
}

[[noreturn]] void throw_failed(std::string_view call, const std::string& path,
                               const std::string& why) {
  throw Error(ErrorCode::store_failed, fmt::format("{}: {} failed: {}", path, call, why), path);
}

std::string why_forked_child_misses(const std::string& path) {
  return path +
         ": this process was forked after the cache was opened, so nothing is read or stored here; "
         "open the cache after the fork, or after daemon()";
}

// SQLite opens no path with a symbolic link in it.
std::string resolved_target(const std::string& path, const std::string& target) {
  const auto resolved = store::resolve(api::validated(target));
  if (!resolved) throw_failed("backup", path, resolved.failure().what);
  return resolved->file;
}

// If the file is too damaged to be checked, that is the only problem in the list.
std::vector<std::string> problems_of(store::Store& store, const std::string& path) {
  auto problems = store.integrity();
  if (problems.ok()) return std::move(*problems);
  if (problems.failure().kind == base::FailureKind::corrupt) return {problems.failure().what};
  throw_failed("check", path, problems.failure().what);
}

// Reads every entry, because SQLite's check compares no checksums. It stops at damage that prevents
// reading, because problems_of() has reported that.
std::vector<std::string> damaged_entries(engine::Engine& engine, store::Store& store) {
  constexpr int kPage = 1'000;
  constexpr std::size_t kMaxListed = 100;  // the same as SQLite's check
  std::vector<std::string> keys;
  std::string after;
  while (keys.size() < kMaxListed) {
    auto page = store.page({}, after, kPage);
    if (!page.ok() && page.failure().kind != base::FailureKind::corrupt) {
      throw_failed("check", engine.path, page.failure().what);
    }
    if (!page.ok() || page->empty()) break;
    after = page->back().info.key;
    for (store::StoredEntry& entry : *page) {
      if (!entry.is_damaged || keys.size() == kMaxListed) continue;
      engine.row_is_damaged(entry.rowid);
      keys.push_back(std::move(entry.info.key));
    }
  }
  return keys;
}

}  // namespace

Core::Core(std::string path, Options options)
    : engine(api::validated(std::move(path)), api::validated(std::move(options))), worker(engine) {
  engine.worker = &worker;
  if (base::Status opened = worker.open(); !opened.ok()) {
    if (!may_go_on(opened.failure(), engine.options)) throw_unopened(opened.failure(), engine.path);
    worker.start_without_store(opened.failure());
  }
  if (base::Status started = worker.start(); !started.ok()) {
    if (!may_go_on(started.failure(), engine.options)) {
      throw_unopened(started.failure(), engine.path);
    }
    worker.go_on_without_thread(started.failure());
  }
}

Core::~Core() { close(); }

void Core::close() {
  if (engine.closed.exchange(true)) return wait_until_released();
  if (engine.process.is_forked_child()) return worker.stop();
  closing_thread_ = std::this_thread::get_id();
  struct Released {
    std::atomic<bool>& released;
    ~Released() {
      released = true;
      released.notify_all();
    }
  };
  {
    const Released at_end{released_};
    // This thread may run a calculation, and a running refresh may wait for its result.
    engine.in_flight.close();
    engine.refreshes->close();
    const std::chrono::microseconds wait(engine.options.timing.close_wait.count());
    if (engine.background && !engine.background->stop(wait)) report_running_refresh();
    worker.stop();
    engine.set_health(HealthState::closed);
  }
  engine.executor.give_up();
}

// Another thread closes the cache. It may wait for a hook or a refresh, so a call inside these
// returns at once. In a forked child the other thread does not exist.
void Core::wait_until_released() const {
  const bool is_waited_for = worker.is_in_hook() || engine::Refreshing::is_here() ||
                             closing_thread_.load() == std::this_thread::get_id();
  if (is_waited_for || engine.process.is_forked_child()) return;
  ASHMEMO_TEST_POINT("close: waits");
  released_.wait(false);
}

void Core::report_running_refresh() {
  engine.notices.notify(
      NoticeKind::calculation_failed,
      engine.path +
          ": close waited for a refresh for the whole close_wait, and the refresh still "
          "runs; its calculation must end by itself, and what it uses must live until then",
      engine.path);
}

// ---- administration: calls that throw if the store does not work

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
  if (engine.process.is_forked_child()) {
    throw Error(ErrorCode::closed,
                fmt::format("{} failed: {}", call, why_forked_child_misses(engine.path)),
                engine.path);
  }
  if (engine.is_out_of_use()) {
    throw Error(ErrorCode::closed, fmt::format("{}: {}: the cache was closed", engine.path, call),
                engine.path);
  }
}

void Core::administer(std::string_view call, base::Status (maintenance::Worker::*work)()) {
  require_administrable(call);
  if (engine.options.access == Access::read_only) return worker.notify();
  const base::Status done = (worker.*work)();
  if (!done.ok()) throw_failed(call, engine.path, done.failure().what);
}

// Takes the store after the flush. A flush closes the store and opens another one if the file was
// replaced, or was found damaged.
std::shared_ptr<store::Store> Core::flushed_store(std::string_view call) {
  administer(call, &maintenance::Worker::flush);
  auto store = engine.store_to_read();
  if (!store) throw_failed(call, engine.path, "there is no cache file at the moment");
  return store;
}

std::size_t Core::erase_range(engine::Range::Kind kind, std::string_view prefix) {
  auto range = std::make_shared<engine::Range>();
  range->kind = kind;
  range->prefix = prefix;
  (void)engine::run_range(engine, range);
  return static_cast<std::size_t>(range->removed.load());
}

CheckReport Core::check() {
  const auto store = flushed_store("check");
  CheckReport report;
  report.problems = problems_of(*store, engine.path);
  report.damaged_entries = damaged_entries(engine, *store);
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
  report.ok = report.problems.empty() && report.damaged_entries.empty() &&
              report.entries_off_by == 0 && report.bytes_off_by == 0;
  return report;
}

void Core::backup(const std::string& target) {
  require_administrable("backup");
  const std::string file = resolved_target(engine.path, target);
  const auto store = flushed_store("backup");
  const store::FileSizes sizes = store->sizes();
  const std::int64_t needed = sizes.file_bytes + sizes.wal_bytes;
  const base::Result<std::int64_t> space = base::free_bytes_beside(file);
  if (space && *space < needed) {
    throw_failed("backup", engine.path,
                 fmt::format("{} needs {} bytes, and {} are free there", file, needed, *space));
  }
  const base::FileSizeSignalBlock block;
  if (const base::Status made = base::create_private_file(file); !made.ok()) {
    throw_failed("backup", engine.path, made.failure().what);
  }
  if (const base::Status copied = store->backup(file); !copied.ok()) {
    (void)base::remove_file(file);
    throw_failed("backup", engine.path, copied.failure().what);
  }
  // SQLite has synced the content, but not the name, nor the removal of the journal.
  base::sync_folder_of(file);
}

Health Core::health() const {
  Health health;
  health.dropped = engine.counters.dropped.get();
  health.state = HealthState::closed;
  if (engine.process.is_forked_child()) {
    health.last_error = why_forked_child_misses(engine.path);
    return health;
  }
  engine.health.fill(&health);
  health.last_error = engine.notices.last_error();
  health.foreign_reader = worker.has_foreign_reader();
  return health;
}

Stats Core::stats() const {
  const engine::Counters& counted = engine.counters;
  Stats stats = counted.reads.sums();
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
  stats.expired_misses = counted.expired_misses.get();
  stats.undecodable = counted.undecodable.get();
  stats.damaged = counted.damaged.get();
  stats.unread = counted.unread.get();
  stats.hint_hits += engine.hints->uses().right;
  stats.wrong_hints += engine.hints->uses().wrong;
  stats.computed = counted.computed.get();
  stats.joined = counted.joined.get();
  stats.refreshes_dropped = engine.refreshes->dropped();
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
  stats.touches_written = counted.touches_written.get();
  stats.touches_dropped += counted.touches_lost.get();
  stats.commits = counted.commits.get();
  stats.bytes_written = counted.bytes_written.get();
  stats.worker_errors = counted.worker_errors.get();
  return stats;
}

void require_key(std::string_view key) {
  const auto refuse = [key](std::string_view why) {
    throw Error(ErrorCode::invalid_key,
                fmt::format("the key {:?} {}", key.substr(0, kShownBytes), why),
                std::string(key.substr(0, kShownBytes)));
  };
  if (key.empty()) refuse("is empty: a key has 1 byte or more");
  if (key.size() > kMaxKeyBytes) {
    refuse(fmt::format("is {} bytes long: a key has at most {}", key.size(), kMaxKeyBytes));
  }
  if (key.find('\0') != std::string_view::npos) refuse("has a NUL byte in it");
}

engine::Lifetimes lifetimes_of(const PutOptions& options) {
  if (!options.ttl) return {};
  if (options.ttl->count() <= 0) {
    throw Error(ErrorCode::misuse,
                fmt::format("the ttl is {}: it must be longer than 0", to_string(*options.ttl)),
                "ttl");
  }
  const std::int64_t ttl = options.ttl->count();
  return {ttl, ttl, ttl};
}

}  // namespace ashmemo::detail
