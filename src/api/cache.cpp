#include <ashmemo/cache.hpp>

#include <chrono>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "api/browse.hpp"
#include "api/core.hpp"
#include "api/options.hpp"
#include "engine/reading.hpp"
#include "engine/submit.hpp"

namespace ashmemo {

namespace detail {

namespace {

std::vector<engine::Query> queries_for(std::span<const std::string_view> keys) {
  std::vector<engine::Query> queries(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    require_key(keys[i]);
    queries[i].key = keys[i];
  }
  return queries;
}

void ask(engine::Engine& engine, std::span<const engine::Query> queries, ValueSink& sink,
         std::span<engine::Answer> answers) {
  const std::int64_t now = engine::read(engine, queries, sink, answers);
  engine::record_answers(engine, queries, answers, now);
}

void report_unencodable(engine::Engine& engine, std::string_view key) {
  engine.counters.puts.add();
  engine.counters.unencodable.add();
  if (engine.process.is_forked_child()) return;
  engine.notices.notify(
      NoticeKind::unencodable,
      fmt::format("the value for {} was not stored, because its Codec threw", key),
      std::string(key));
}

}  // namespace

void get_many(Core& core, std::span<const std::string_view> keys, ValueSink& sink) {
  if (keys.size() == 1) {
    require_key(keys[0]);
    if (engine::hit_in_memory(core.engine, keys[0], sink)) return;
    const engine::Query query{keys[0]};
    engine::Answer answer;
    return ask(core.engine, std::span(&query, 1), sink, std::span(&answer, 1));
  }
  const std::vector<engine::Query> queries = queries_for(keys);
  std::vector<engine::Answer> answers(keys.size());
  ask(core.engine, queries, sink, answers);
}

std::size_t put_many(Core& core, std::span<EncodedPut> puts, const PutOptions& options) {
  const engine::Lifetimes lifetimes = lifetimes_of(options);
  std::vector<engine::NewEntry> entries;
  entries.reserve(puts.size());
  for (const EncodedPut& put : puts) require_key(put.key);
  for (EncodedPut& put : puts) {
    if (!put.value) report_unencodable(core.engine, put.key);
    entries.push_back({put.key, std::move(put.value), lifetimes, 0, {}, 0});
  }
  return engine::put(core.engine, entries);
}

}  // namespace detail

namespace {

// In a forked child the core remains until the child ends. Its threads do not exist there, and they
// may have locked its mutexes.
void end_of(detail::Core* core) {
  if (!core->engine.process.is_forked_child()) delete core;
}

}  // namespace

Cache::Cache(std::string path, Options options)
    : core_(new detail::Core(std::move(path), std::move(options)), end_of) {}

Cache::~Cache() {
  if (core_) core_->close();
}

Cache::Cache(Cache&&) noexcept = default;

Cache& Cache::operator=(Cache&& other) noexcept {
  if (core_ && core_ != other.core_) core_->close();
  core_ = std::move(other.core_);
  return *this;
}

bool Cache::contains(std::string_view key) const {
  return engine::count_live(core_->engine, detail::queries_for(std::span(&key, 1))) == 1;
}

std::optional<EntryInfo> Cache::entry(std::string_view key) const {
  detail::require_key(key);
  return detail::find_entry(core_->engine, key);
}

void Cache::visit_pages(std::string_view prefix, const detail::EntryVisitor& visit) const {
  detail::visit_entries(core_->engine, prefix, visit);
}

std::vector<StoredCalculation> Cache::calculations() const {
  return detail::stored_calculations(core_->engine);
}

bool Cache::touch(std::string_view key) { return touch_many(std::span(&key, 1)) == 1; }

std::size_t Cache::touch_many(const Keys& keys) {
  return engine::touch(core_->engine, detail::queries_for(keys.views()));
}

bool Cache::erase(std::string_view key) { return erase_many(std::span(&key, 1)) == 1; }

std::size_t Cache::erase_many(const Keys& keys) {
  for (const std::string_view key : keys.views()) detail::require_key(key);
  return engine::erase(core_->engine, keys.views());
}

std::size_t Cache::erase_prefix(std::string_view prefix) {
  detail::require_key(prefix);
  return core_->erase_range(engine::Range::Kind::erase_prefix, prefix);
}

std::size_t Cache::clear() { return core_->erase_range(engine::Range::Kind::erase_all, {}); }

Stats Cache::stats() const { return core_->stats(); }

Health Cache::health() const { return core_->health(); }

Limits Cache::limits() const {
  const engine::Engine& engine = core_->engine;
  return engine.process.is_forked_child() ? engine.options.limits : engine.limits.as_given();
}

void Cache::set_limits(Limits limits) {
  api::validate(limits);
  if (core_->engine.process.is_forked_child()) return;
  core_->engine.limits.set(limits);
  core_->worker.wake_now();
}

void Cache::flush() { core_->administer("flush", &maintenance::Worker::flush); }

void Cache::compact() { core_->administer("compact", &maintenance::Worker::compact); }

bool Cache::run_maintenance(Duration budget) {
  core_->require_administrable("run_maintenance");
  return core_->worker.run(budget.count());
}

CheckReport Cache::check() { return core_->check(); }

void Cache::backup(const std::string& target) { core_->backup(target); }

void Cache::close() {
  core_->require_not_in_hook("close");
  core_->close();
}

}  // namespace ashmemo
