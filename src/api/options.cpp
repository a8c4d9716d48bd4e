#include "api/options.hpp"

#include <utility>

#include <fmt/format.h>

#include <ashmemo/error.hpp>

#include "engine/engine.hpp"

namespace ashmemo {

namespace {

[[noreturn]] void refuse(std::string_view field, std::string_view value, std::string_view why) {
  throw Error(ErrorCode::invalid_options, fmt::format("Options::{} is {}: {}", field, value, why),
              std::string(field));
}

void require_not_negative(std::string_view field, const Limit& limit) {
  if (limit.count() < 0) refuse(field, fmt::to_string(limit.count()), "a limit is 0 or more");
}

void require_not_negative(std::string_view field, Duration duration) {
  if (duration.count() < 0) refuse(field, to_string(duration), "it must not be negative");
}

void require_positive(std::string_view field, Duration duration) {
  if (duration.count() <= 0) refuse(field, to_string(duration), "it must be longer than 0");
}

void require_between(std::string_view field, std::int64_t value, std::int64_t least,
                     std::int64_t most) {
  if (value >= least && value <= most) return;
  refuse(field, fmt::to_string(value), fmt::format("it must be from {} to {} bytes", least, most));
}

// An enumeration that comes from a configuration file may be any number.
template <class Enum>
void require_known(std::string_view field, Enum value, Enum last) {
  const auto number = static_cast<std::int64_t>(value);
  if (number >= 0 && number <= static_cast<std::int64_t>(last)) return;
  refuse(field, fmt::to_string(number), "it is none of the values that it can have");
}

std::string text_of(std::int64_t count) {
  return count == base::kForever ? "unlimited" : fmt::to_string(count);
}

}  // namespace

namespace api {

void validate(const Limits& limits) {
  require_not_negative("limits.max_entries", limits.max_entries);
  require_not_negative("limits.max_bytes", limits.max_bytes);
  require_not_negative("limits.max_entry_bytes", limits.max_entry_bytes);
  if (limits.max_entry_bytes.is_unlimited()) {
    refuse("limits.max_entry_bytes", "unlimited",
           "one entry is always bounded, for it is in memory as a whole; give a number of bytes");
  }
  require_between("limits.max_entry_bytes", engine::resolve(limits).max_entry_bytes, 0, GiB);
}

Options validated(Options options) {
  validate(options.limits);
  const Timing& timing = options.timing;
  require_not_negative("timing.touch_interval", timing.touch_interval);
  require_not_negative("timing.flush_interval", timing.flush_interval);
  require_positive("timing.maintenance_interval", timing.maintenance_interval);
  require_not_negative("timing.max_wait", timing.max_wait);
  require_not_negative("timing.close_wait", timing.close_wait);
  if (options.memory_bytes != 0) {
    require_between("memory_bytes", options.memory_bytes, memory::MemoryTier::kMinBytes, 64 * GiB);
  }
  require_between("queue_bytes", options.queue_bytes, 64 * KiB, 64 * GiB);
  require_between("reader_cache_bytes", options.reader_cache_bytes, 64 * KiB, 64 * GiB);
  require_between("writer_cache_bytes", options.writer_cache_bytes, 64 * KiB, 64 * GiB);
  require_known("durability", options.durability, Durability::power);
  require_known("eviction", options.eviction, Eviction::s3fifo);
  require_known("access", options.access, Access::read_only);
  require_known("when_unavailable", options.when_unavailable, WhenUnavailable::throw_error);
  require_known("hooks.worker", options.hooks.worker, WorkerMode::manual);
  return options;
}

}  // namespace api

std::string_view to_string(Durability value) noexcept {
  switch (value) {
    case Durability::relaxed:
      return "relaxed";
    case Durability::commit:
      return "commit";
    case Durability::power:
      return "power";
  }
  return "?";
}

std::string_view to_string(Eviction value) noexcept {
  switch (value) {
    case Eviction::none:
      return "none";
    case Eviction::fifo:
      return "fifo";
    case Eviction::lru:
      return "lru";
    case Eviction::clock:
      return "clock";
    case Eviction::s3fifo:
      return "s3fifo";
  }
  return "?";
}

std::string to_string(const Options& options) {
  const engine::ResolvedLimits limits = engine::resolve(options.limits);
  const Timing& timing = options.timing;
  const auto duration = [](Duration value) { return to_string(value); };
  return fmt::format(
      "limits: max_entries={} max_bytes={} max_entry_bytes={}\n"
      "timing: touch_interval={} flush_interval={} maintenance_interval={} max_wait={} "
      "close_wait={}\n"
      "hooks: clock={} executor={} on_error={} on_removal={} worker={}\n"
      "durability={} eviction={}\n"
      "memory: memory_bytes={} queue_bytes={} reader_cache_bytes={} writer_cache_bytes={}\n"
      "file: access={} when_unavailable={} erase_securely={}\n",
      text_of(limits.max_entries), text_of(limits.max_bytes), text_of(limits.max_entry_bytes),
      duration(timing.touch_interval), duration(timing.flush_interval),
      duration(timing.maintenance_interval), duration(timing.max_wait), duration(timing.close_wait),
      options.hooks.clock ? "own" : "system", options.hooks.executor ? "own" : "thread",
      bool(options.hooks.on_error), bool(options.hooks.on_removal),
      options.hooks.worker == WorkerMode::thread ? "thread" : "manual",
      to_string(options.durability), to_string(options.eviction), options.memory_bytes,
      options.queue_bytes, options.reader_cache_bytes, options.writer_cache_bytes,
      options.access == Access::read_write ? "read_write" : "read_only",
      options.when_unavailable == WhenUnavailable::go_on ? "go_on" : "throw_error",
      options.erase_securely);
}

}  // namespace ashmemo
