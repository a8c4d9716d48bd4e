#include "engine/memory_hit.hpp"

#include "base/saturate.hpp"
#include "engine/freshness.hpp"
#include "memory/memory_tier.hpp"

namespace ashmemo::engine {

namespace {

/// The moment of a hit, for which a rough one will do far from the entry's ends; nothing: it is
/// none.
std::int64_t moment_of_hit(const Engine& engine, const Deadlines& deadlines) {
  const std::int64_t coarse = engine.coarse_clock.now();
  const std::int64_t latest = base::add_saturated(coarse, CoarseClock::kMaxBehind);
  if (is_fresh_throughout(deadlines, coarse, latest)) return coarse;
  const std::int64_t now = engine.clock->wall_now();
  return judge(deadlines, now) == Freshness::fresh ? now : 0;
}

void count(Engine& engine, const store::RowView& row, std::int64_t now) {
  ReadCounters& mine = engine.counters.reads.mine();
  mine.saved_us.add(row.cost_us);
  switch (engine.access_buffer.mark(row.rowid, now, engine.sequence_clock)) {
    case AccessBuffer::Marked::coalesced:
      return mine.hits_in_memory_coalesced.add();
    case AccessBuffer::Marked::fresh:
      mine.touches_begun.add();
      break;
    case AccessBuffer::Marked::dropped:
      mine.touches_unplaced.add();
      break;
  }
  mine.hits_in_memory.add();
}

}  // namespace

bool hit_in_memory(Engine& engine, std::string_view key, AnswerSink& sink) {
  if (!engine.tier || engine.is_out_of_use()) return false;
  if (!engine.tier_watch.is_awake() && !engine.store.empty()) return false;
  MemoryTier::Look look;
  TierCopy copy;
  store::RowView row;
  if (!engine.tier->find(key, look, copy, row)) return false;
  if (!engine.catalog.is_current(row.calculation_id)) return false;
  const std::int64_t now = moment_of_hit(engine, row.deadlines);
  if (now == 0 || !sink.take(0, Freshness::fresh, row.value)) return false;
  count(engine, row, now);
  return true;
}

}  // namespace ashmemo::engine
