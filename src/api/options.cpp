#include "api/options.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include <ashmemo/error.hpp>

#include "api/text.hpp"
#include "engine/engine.hpp"
#include "store/rowid_hints.hpp"

namespace ashmemo::api {

namespace {

// Each interval costs a transaction. With an interval of 1 us the idle worker used 28 % of a core.
constexpr Duration kMinMaintenanceInterval = std::chrono::milliseconds(10);

[[noreturn]] void refuse(std::string_view field, std::string_view value, std::string_view why) {
  throw Error(ErrorCode::invalid_options, fmt::format("Options::{} is {}: {}", field, value, why),
              std::string(field));
}

void require_not_negative(std::string_view field, const Limit& limit) {
  if (limit.count() < 0) refuse(field, fmt::to_string(limit.count()), "a limit must be 0 or more");
}

void require_not_negative(std::string_view field, Duration duration) {
  if (duration.count() < 0) refuse(field, to_string(duration), "it must not be negative");
}

void require_at_least(std::string_view field, Duration duration, Duration min) {
  if (duration >= min) return;
  refuse(field, to_string(duration), fmt::format("it must be at least {}", to_string(min)));
}

void require_between(std::string_view field, std::int64_t value, std::int64_t min,
                     std::int64_t max) {
  if (value >= min && value <= max) return;
  refuse(field, fmt::to_string(value), fmt::format("it must be from {} to {} bytes", min, max));
}

template <class Enum>
void require_known(std::string_view field, Enum value) {
  if (name_of(value)) return;
  refuse(field, fmt::to_string(static_cast<std::int64_t>(value)), "there is no such value");
}

}  // namespace

void validate(const Limits& limits) {
  require_not_negative("limits.max_entries", limits.max_entries);
  require_not_negative("limits.max_bytes", limits.max_bytes);
  require_not_negative("limits.max_entry_bytes", limits.max_entry_bytes);
  if (limits.max_entry_bytes.is_unlimited()) {
    refuse("limits.max_entry_bytes", "unlimited",
           "an entry is in memory as a whole, so its size must have a limit; give a number of "
           "bytes");
  }
  const engine::ResolvedLimits resolved = engine::resolve(limits);
  require_between("limits.max_entry_bytes", resolved.max_entry_bytes, 0, GiB);
  require_between("limits.max_wal_bytes", resolved.max_wal_bytes, engine::kMinMaxWalBytes,
                  base::kForever);
}

Options validated(Options options) {
  validate(options.limits);
  const Timing& timing = options.timing;
  require_not_negative("timing.touch_interval", timing.touch_interval);
  require_not_negative("timing.flush_interval", timing.flush_interval);
  require_at_least("timing.maintenance_interval", timing.maintenance_interval,
                   kMinMaintenanceInterval);
  require_not_negative("timing.max_wait", timing.max_wait);
  require_not_negative("timing.close_wait", timing.close_wait);
  if (options.memory_bytes != 0) {
    require_between("memory_bytes", options.memory_bytes, memory::MemoryTier::kMinBytes, 64 * GiB);
  }
  require_between("queue_bytes", options.queue_bytes, 64 * KiB, 64 * GiB);
  require_between("reader_cache_bytes", options.reader_cache_bytes, 64 * KiB, 64 * GiB);
  require_between("writer_cache_bytes", options.writer_cache_bytes, 64 * KiB, 64 * GiB);
  if (options.hint_bytes != 0) {
    require_between("hint_bytes", options.hint_bytes, store::RowidHints::kMinBytes, 64 * GiB);
  }
  require_known("durability", options.durability);
  require_known("eviction", options.eviction);
  require_known("access", options.access);
  require_known("when_unavailable", options.when_unavailable);
  require_known("hooks.worker", options.hooks.worker);
  if (options.exclusive && options.access == Access::read_only) {
    refuse("exclusive", "true", "it needs access = read_write");
  }
  return options;
}

std::string validated(std::string path) {
  if (path == ":memory:") {
    throw Error(
        ErrorCode::invalid_options,
        "the path is ':memory:', but a cache is always in a file: give the path of a file, in a "
        "temporary folder if it need not last",
        "path");
  }
  if (path.starts_with("file:")) {
    throw Error(ErrorCode::invalid_options,
                fmt::format("the path is '{0}', but a cache takes no URI: give the path of a file, "
                            "or './{0}' if the file has that name",
                            path),
                "path");
  }
  return path;
}

}  // namespace ashmemo::api
