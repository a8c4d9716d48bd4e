#include <array>
#include <memory>
#include <string>
#include <utility>

#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/key_part.hpp>

#include "api/resource.hpp"
#include "engine/submit.hpp"

// Single records are removed; whole calculations get a new id, which hides all their results at
// once.

namespace ashmemo::detail {

namespace {

engine::RangePtr removal_of(std::string prefix) {
  auto range = std::make_shared<engine::Range>();
  range->kind = engine::Range::Kind::erase_prefix;
  range->prefix = std::move(prefix);
  return range;
}

std::string prefix_of(const ResourceCore& resource, const RecordSource& record) {
  std::string out = resource.key_prefix();
  record.append_key(0, out);
  return out;
}

/// Also one that is not cached now: the file may hold what it computed when it was.
void renew(engine::Engine& engine, const CalculationCore& calculation) {
  engine.catalog.renew(calculation.enter(engine.catalog));
}

/// Whatever `renew_some` renews, in one command.
template <class F>
void renew_and_wait(ResourceCore& resource, F renew_some) {
  engine::Engine& engine = resource.engine();
  if (engine.options.access == Access::read_only) {
    // Before anything is renewed: it would be hidden from this process alone.
    throw Error(ErrorCode::misuse, engine.path + " was opened read-only: nothing can be removed",
                engine.path);
  }
  resource.freeze();
  if (engine.is_out_of_use()) return;
  auto range = std::make_shared<engine::Range>();
  range->kind = engine::Range::Kind::put_calculations;
  renew_some(engine);
  engine::run_range(engine, range);
}

}  // namespace

void invalidate_record(ResourceCore& resource, const RecordSource& record) {
  engine::run_range(resource.engine(), removal_of(prefix_of(resource, record)));
}

void invalidate_record(ResourceCore& resource, const RecordSource& record,
                       const CalculationCore& calculation) {
  engine::Engine& engine = resource.engine();
  if (engine.is_out_of_use()) return;
  std::string key = prefix_of(resource, record);
  append_calculation(key, calculation.name());
  const std::array ranges{removal_of(key + '('), removal_of(key + '@')};
  const std::string_view plain = key;
  engine::erase(engine, std::span(&plain, 1), ranges);
}

void invalidate_all(ResourceCore& resource) {
  renew_and_wait(resource, [&](engine::Engine& engine) {
    for (const CalculationCore& calculation : resource.calculations()) renew(engine, calculation);
  });
}

void invalidate_all(ResourceCore& resource, CalculationCore& calculation) {
  renew_and_wait(resource, [&](engine::Engine& engine) { renew(engine, calculation); });
}

}  // namespace ashmemo::detail
