#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "engine/reading.hpp"

// What a read leaves behind: counts, and marks of the hits.

namespace ashmemo::engine {

namespace {

/// Sums of one call, added to the shared counters once.
struct Tally {
  std::int64_t hits[2]{}, stale[2]{};  // from the file, from memory
  std::int64_t misses = 0, saved_us = 0;
  std::array<std::int64_t, 5> kinds{};  // by Answer::Kind

  void add(const Answer& answer) {
    ++kinds[static_cast<std::size_t>(answer.kind)];
    if (!answer.is_hit()) {
      ++misses;
      return;
    }
    ++(answer.freshness == Freshness::stale ? stale : hits)[answer.in_memory ? 1 : 0];
    saved_us += answer.cost_us;
  }

  [[nodiscard]] std::int64_t of(Answer::Kind kind) const {
    return kinds[static_cast<std::size_t>(kind)];
  }
};

void count(CalculationCounters& counters, const Tally& tally) {
  counters.hits.add(tally.hits[0] + tally.hits[1]);
  counters.stale_hits.add(tally.stale[0] + tally.stale[1]);
  counters.misses.add(tally.misses);
  counters.saved_us.add(tally.saved_us);
}

void count(Counters& counters, const Tally& tally) {
  ReadCounters& mine = counters.reads.mine();
  mine.hits_in_file.add(tally.hits[0]);
  mine.hits_in_memory.add(tally.hits[1]);
  mine.stale_in_file.add(tally.stale[0]);
  mine.stale_in_memory.add(tally.stale[1]);
  mine.saved_us.add(tally.saved_us);
  if (tally.misses == 0) return;
  mine.misses.add(tally.misses);
  counters.expired_misses.add(tally.of(Answer::Kind::expired));
  counters.undecodable.add(tally.of(Answer::Kind::undecodable));
  counters.unread.add(tally.of(Answer::Kind::unread));
}

/// Queries of one calculation stand together, as loads make them: one tally each.
void count_by_calculation(std::span<const Query> queries, std::span<const Answer> answers) {
  for (std::size_t i = 0; i < queries.size();) {
    CalculationState* const calculation = queries[i].calculation;
    Tally tally;
    for (; i < queries.size() && queries[i].calculation == calculation; ++i) tally.add(answers[i]);
    if (calculation == nullptr) continue;
    count(calculation->since_open, tally);
    count(calculation->unwritten, tally);
  }
}

void report_undecodable(Engine& engine, std::span<const Query> queries,
                        std::span<const Answer> answers) {
  const auto first = std::find_if(answers.begin(), answers.end(), [](const Answer& answer) {
    return answer.kind == Answer::Kind::undecodable;
  });
  const std::string key(queries[static_cast<std::size_t>(first - answers.begin())].key);
  engine.notices.notify(
      NoticeKind::undecodable,
      "the value of " + key + " is not of the type asked for; it counts as a miss", key);
}

/// Of a write that is still pending the reads are counted with it.
AccessBuffer::Marked mark(Engine& engine, const Answer& answer, std::int64_t now) {
  if (!answer.pending) return engine.access_buffer.mark(answer.rowid, now, engine.sequence_clock);
  const std::int64_t before = answer.pending->touches.fetch_add(1, std::memory_order_relaxed);
  return before == 0 ? AccessBuffer::Marked::fresh : AccessBuffer::Marked::coalesced;
}

bool leaves_touch(const Query& query) {
  return query.calculation == nullptr || query.calculation->is_touched;
}

}  // namespace

void settle(Engine& engine, std::span<const Query> queries, std::span<const Answer> answers,
            std::int64_t now) {
  Tally tally;
  for (const Answer& answer : answers) tally.add(answer);
  count(engine.counters, tally);
  count_by_calculation(queries, answers);
  if (tally.of(Answer::Kind::undecodable) > 0) report_undecodable(engine, queries, answers);
  mark_touches(engine, queries, answers, now);
}

void mark_touches(Engine& engine, std::span<const Query> queries, std::span<const Answer> answers,
                  std::int64_t now) {
  if (engine.options.access == Access::read_only || engine.is_out_of_use()) return;
  std::array<std::int64_t, 3> marked{};  // by AccessBuffer::Marked
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].is_hit() || !leaves_touch(queries[i])) continue;
    ++marked[static_cast<std::size_t>(mark(engine, answers[i], now))];
  }
  ReadCounters& mine = engine.counters.reads.mine();
  mine.touches_begun.add(marked[0]);
  mine.touches_coalesced.add(marked[1]);
  mine.touches_unplaced.add(marked[2]);
}

namespace {

/// For whom it is enough that an entry is there.
class Presence final : public ValueSink {
 public:
  bool take(std::size_t, Freshness, ValueView) override { return true; }
  [[nodiscard]] bool in_place(std::size_t) const noexcept override { return true; }
};

/// The answers, and the moment.
std::pair<std::vector<Answer>, std::int64_t> look(Engine& engine, std::span<const Query> queries) {
  std::vector<Answer> answers(queries.size());
  Presence presence;
  const std::int64_t now = read(engine, queries, presence, answers);
  return {std::move(answers), now};
}

std::size_t count_hits(std::span<const Answer> answers) {
  std::size_t hits = 0;
  for (const Answer& answer : answers) hits += answer.is_hit() ? 1U : 0U;
  return hits;
}

}  // namespace

std::size_t touch(Engine& engine, std::span<const Query> queries) {
  const auto [answers, now] = look(engine, queries);
  mark_touches(engine, queries, answers, now);
  return count_hits(answers);
}

std::size_t count_live(Engine& engine, std::span<const Query> queries) {
  return count_hits(look(engine, queries).first);
}

}  // namespace ashmemo::engine
