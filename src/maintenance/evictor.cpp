#include "maintenance/evictor.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/saturate.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// Once a limit is passed, this share of it is freed beyond: so that eviction runs once for that many
// new entries and not for each one. Costs less than a tenth of a point of hit ratio.
constexpr std::int64_t kSlackShare = 128;

// So many rows of a queue are looked at in one query.
constexpr int kCandidates = 128;
constexpr std::int64_t kBeforeAll = std::numeric_limits<std::int64_t>::min();

}  // namespace

bool Evictor::is_over(const store::Totals& totals, std::int64_t slack) const {
  const engine::ResolvedLimits limits = engine_.limits.get();
  const auto over = [slack](std::int64_t have, std::int64_t most) {
    return most != base::kForever && have > most - (slack == 0 ? 0 : most / slack);
  };
  return over(totals.entries, limits.max_entries) || over(totals.bytes, limits.max_bytes);
}

bool Evictor::has_work(const store::Totals& totals) const {
  return policy_ != nullptr && is_over(totals, 0);
}

Status Evictor::evict_some(store::Store& store) {
  announce_default_limit();
  return transactions_.run(store, [this](store::Writer& writer, Changes& changes) -> Status {
    auto due = writer.erase_due(engine_.clock->wall_now(), kMostRows);
    if (!due.ok()) return due.failure();
    for (store::RemovedRow& row : *due) {
      changes.remove(std::move(row.key), RemovalCause::expired, transactions_.wants_keys());
    }
    int left = kMostRows - static_cast<int>(due->size());
    while (left > 0 && is_over(writer.totals(), kSlackShare) && writer.totals().entries > 0) {
      const std::int64_t before = changes.evicted + moved_;
      if (Status round = evict_one_round(writer, changes); !round.ok()) return round;
      const std::int64_t done = changes.evicted + moved_ - before;
      if (done == 0) break;
      left -= static_cast<int>(done);
    }
    return {};
  });
}

Status Evictor::evict_one_round(store::Writer& writer, Changes& changes) {
  const std::int64_t queue = policy_->next_queue(sizes(writer.totals()));
  auto oldest = writer.oldest(queue, kBeforeAll, kCandidates);
  if (!oldest.ok()) return oldest.failure();
  for (store::Candidate& candidate : *oldest) {
    if (!is_over(writer.totals(), kSlackShare)) return {};
    if (policy_->next_queue(sizes(writer.totals())) != queue) return {};
    if (Status judged = judge(writer, candidate, changes); !judged.ok()) return judged;
  }
  return {};
}

Status Evictor::judge(store::Writer& writer, store::Candidate& candidate, Changes& changes) {
  // Reads that were marked and not yet written count too: asking the marks here makes writing all of
  // them before an eviction unnecessary.
  std::int64_t touches = 0;
  if (const auto mark = engine_.marks.take(candidate.rowid)) {
    candidate.accessed_at = std::max(candidate.accessed_at, mark->accessed_at);
    touches = mark->count;
  }
  const std::int64_t stamp = engine_.stamps.next(engine_.clock->wall_now());
  const engine::Verdict verdict = policy_->judge(candidate, touches, stamp);
  if (verdict.evict || reinserted_in_a_row_ >= engine::kMostReinsertions) {
    reinserted_in_a_row_ = 0;
    return evict(writer, candidate, changes);
  }
  ++reinserted_in_a_row_;
  ++moved_;
  changes.touches_written += touches > 0 ? 1 : 0;
  return writer.reinsert(candidate.rowid, verdict.placement);
}

Status Evictor::evict(store::Writer& writer, const store::Candidate& candidate, Changes& changes) {
  policy_->evicted(candidate, sizes(writer.totals()));
  if (Status erased = writer.erase_row(candidate); !erased.ok()) return erased;
  changes.remove(candidate.key, RemovalCause::evicted, transactions_.wants_keys());
  return {};
}

engine::QueueSizes Evictor::sizes(const store::Totals& totals) const {
  const engine::ResolvedLimits limits = engine_.limits.get();
  engine::QueueSizes sizes;
  sizes.entries = totals.entries;
  sizes.max_entries = limits.max_entries;
  sizes.probation_entries = totals.probation_entries;
  sizes.bytes = totals.bytes;
  sizes.max_bytes = limits.max_bytes;
  sizes.probation_bytes = totals.probation_bytes;
  return sizes;
}

void Evictor::announce_default_limit() {
  const engine::ResolvedLimits limits = engine_.limits.get();
  if (!limits.default_max_bytes || engine_.bytes.load() <= limits.max_bytes) return;
  engine_.notices.tell(NoticeKind::default_limit,
                       fmt::format("{}: the cache has reached its default limit of {} MiB and evicts "
                                   "from now on; set Limits::max_bytes to choose another",
                                   engine_.path, limits.max_bytes / MiB),
                       engine_.path);
}

}  // namespace ashmemo::maintenance
