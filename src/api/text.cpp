#include "api/text.hpp"

#include <fmt/format.h>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/entry.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/events.hpp>
#include <ashmemo/stats.hpp>

#include "engine/engine.hpp"

// Text for people: the names of enum values, and options and policies in a few lines.

namespace ashmemo {

namespace {

/// One value of an enum. Each enum has one table of all its values.
template <class Enum>
struct Named {
  Enum value;
  std::string_view name;
};

constexpr Named<ErrorCode> kErrorCodes[] = {
    {ErrorCode::invalid_options, "invalid_options"},
    {ErrorCode::invalid_key, "invalid_key"},
    {ErrorCode::file_in_use, "file_in_use"},
    {ErrorCode::not_a_cache, "not_a_cache"},
    {ErrorCode::unavailable, "unavailable"},
    {ErrorCode::misuse, "misuse"},
    {ErrorCode::unknown_calculation, "unknown_calculation"},
    {ErrorCode::wrong_number_of_results, "wrong_number_of_results"},
    {ErrorCode::calculation_failed, "calculation_failed"},
    {ErrorCode::closed, "closed"},
    {ErrorCode::store_failed, "store_failed"},
    {ErrorCode::cycle, "cycle"},
    {ErrorCode::damaged, "damaged"},
    {ErrorCode::too_deep, "too_deep"},
};

constexpr Named<RemovalCause> kRemovalCauses[] = {
    {RemovalCause::erased, "erased"},   {RemovalCause::replaced, "replaced"},
    {RemovalCause::expired, "expired"}, {RemovalCause::evicted, "evicted"},
    {RemovalCause::damaged, "damaged"},
};

constexpr Named<NoticeKind> kNoticeKinds[] = {
    {NoticeKind::unavailable, "unavailable"},
    {NoticeKind::available, "available"},
    {NoticeKind::busy, "busy"},
    {NoticeKind::write_failed, "write_failed"},
    {NoticeKind::recovered, "recovered"},
    {NoticeKind::quarantined, "quarantined"},
    {NoticeKind::writes_dropped, "writes_dropped"},
    {NoticeKind::removal_uncommitted, "removal_uncommitted"},
    {NoticeKind::undecodable, "undecodable"},
    {NoticeKind::unencodable, "unencodable"},
    {NoticeKind::refused, "refused"},
    {NoticeKind::default_limit, "default_limit"},
    {NoticeKind::listener_failed, "listener_failed"},
    {NoticeKind::worker_failed, "worker_failed"},
    {NoticeKind::foreign_reader, "foreign_reader"},
    {NoticeKind::calculation_failed, "calculation_failed"},
    {NoticeKind::read_failed, "read_failed"},
    {NoticeKind::file_lost, "file_lost"},
    {NoticeKind::everything_removed, "everything_removed"},
    {NoticeKind::entry_damaged, "entry_damaged"},
    {NoticeKind::not_cached, "not_cached"},
    {NoticeKind::writable_by_others, "writable_by_others"},
};

constexpr Named<HealthState> kHealthStates[] = {
    {HealthState::ok, "ok"},
    {HealthState::degraded, "degraded"},
    {HealthState::unavailable, "unavailable"},
    {HealthState::closed, "closed"},
};

constexpr Named<Durability> kDurabilities[] = {
    {Durability::relaxed, "relaxed"},
    {Durability::commit, "commit"},
    {Durability::power, "power"},
};

constexpr Named<Eviction> kEvictions[] = {
    {Eviction::none, "none"},   {Eviction::fifo, "fifo"},     {Eviction::lru, "lru"},
    {Eviction::clock, "clock"}, {Eviction::s3fifo, "s3fifo"},
};

constexpr Named<Access> kAccesses[] = {
    {Access::read_write, "read_write"},
    {Access::read_only, "read_only"},
};

constexpr Named<WhenUnavailable> kWhenUnavailable[] = {
    {WhenUnavailable::go_on, "go_on"},
    {WhenUnavailable::throw_error, "throw_error"},
};

constexpr Named<WorkerMode> kWorkerModes[] = {
    {WorkerMode::thread, "thread"},
    {WorkerMode::manual, "manual"},
};

template <class Enum, std::size_t kCount>
constexpr std::optional<std::string_view> find(const Named<Enum> (&table)[kCount], Enum value) {
  for (const Named<Enum>& known : table) {
    if (known.value == value) return known.name;
  }
  return std::nullopt;
}

template <class Enum, std::size_t kCount>
constexpr std::string_view text_of(const Named<Enum> (&table)[kCount], Enum value) {
  return find(table, value).value_or("?");
}

std::string text_of(std::int64_t limit) {
  return limit == base::kForever ? "unlimited" : fmt::to_string(limit);
}

void append_window(std::string& out, std::string_view name, std::optional<Duration> window) {
  if (window) out += fmt::format(", {} {}", name, to_string(*window));
}

}  // namespace

namespace api {

std::optional<std::string_view> name_of(Durability value) noexcept {
  return find(kDurabilities, value);
}
std::optional<std::string_view> name_of(Eviction value) noexcept { return find(kEvictions, value); }
std::optional<std::string_view> name_of(Access value) noexcept { return find(kAccesses, value); }
std::optional<std::string_view> name_of(WhenUnavailable value) noexcept {
  return find(kWhenUnavailable, value);
}
std::optional<std::string_view> name_of(WorkerMode value) noexcept {
  return find(kWorkerModes, value);
}

}  // namespace api

std::string_view to_string(ErrorCode code) noexcept { return text_of(kErrorCodes, code); }
std::string_view to_string(RemovalCause cause) noexcept { return text_of(kRemovalCauses, cause); }
std::string_view to_string(NoticeKind kind) noexcept { return text_of(kNoticeKinds, kind); }
std::string_view to_string(HealthState state) noexcept { return text_of(kHealthStates, state); }
std::string_view to_string(Durability value) noexcept { return text_of(kDurabilities, value); }
std::string_view to_string(Eviction value) noexcept { return text_of(kEvictions, value); }

std::optional<Eviction> eviction_from(std::string_view name) noexcept {
  for (const Named<Eviction>& known : kEvictions) {
    if (known.name == name) return known.value;
  }
  return std::nullopt;
}

std::string to_string(const Options& options) {
  const engine::ResolvedLimits limits = engine::resolve(options.limits);
  const Timing& timing = options.timing;
  const auto duration = [](Duration value) { return to_string(value); };
  return fmt::format(
      "limits: max_entries={} max_bytes={} max_entry_bytes={} max_wal_bytes={}\n"
      "timing: touch_interval={} flush_interval={} maintenance_interval={} max_wait={} "
      "close_wait={}\n"
      "hooks: clock={} executor={} on_error={} on_removal={} worker={}\n"
      "durability={} eviction={}\n"
      "memory: memory_bytes={} queue_bytes={} reader_cache_bytes={} writer_cache_bytes={} "
      "hint_bytes={}\n"
      "file: access={} when_unavailable={} erase_securely={} exclusive={}\n",
      text_of(limits.max_entries), text_of(limits.max_bytes), text_of(limits.max_entry_bytes),
      text_of(limits.max_wal_bytes), duration(timing.touch_interval),
      duration(timing.flush_interval), duration(timing.maintenance_interval),
      duration(timing.max_wait), duration(timing.close_wait),
      options.hooks.clock ? "own" : "system", options.hooks.executor ? "own" : "thread",
      bool(options.hooks.on_error), bool(options.hooks.on_removal),
      text_of(kWorkerModes, options.hooks.worker), to_string(options.durability),
      to_string(options.eviction), options.memory_bytes, options.queue_bytes,
      options.reader_cache_bytes, options.writer_cache_bytes, options.hint_bytes,
      text_of(kAccesses, options.access), text_of(kWhenUnavailable, options.when_unavailable),
      options.erase_securely, options.exclusive);
}

std::string to_string(const CachePolicy& policy) {
  std::string out = "ttl " + to_string(policy.ttl.value_or(Duration::max()));
  append_window(out, "stale_while_revalidate", policy.stale_while_revalidate);
  append_window(out, "stale_if_error", policy.stale_if_error);
  append_window(out, "negative_ttl", policy.negative_ttl);
  if (policy.eviction) out += fmt::format(", eviction {}", to_string(*policy.eviction));
  return out;
}

}  // namespace ashmemo
