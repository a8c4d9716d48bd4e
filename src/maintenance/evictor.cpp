#include "maintenance/evictor.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "base/saturate.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// Once a limit is passed, this share of it is freed beyond: so that eviction runs once for that
// many new entries and not for each one. Costs less than a tenth of a point of hit ratio.
constexpr std::int64_t kSlackShare = 128;

// On a full disk this share of what there is makes room for new entries.
constexpr std::int64_t kSqueezedShare = 16;
constexpr std::int64_t kMinBytes = MiB;  // it is not this that fills the disk

// So many rows of a queue are looked at in one query.
constexpr int kCandidates = 128;

}  // namespace

bool Evictor::is_over(const store::Totals& totals, std::int64_t slack) const {
  const engine::ResolvedLimits limits = engine_.limits.get();
  const auto over = [slack](std::int64_t have, std::int64_t most) {
    return most != base::kForever && have > most - (slack == 0 ? 0 : most / slack);
  };
  return over(totals.entries, limits.max_entries) || over(totals.bytes, max_bytes());
}

Evictor::Excess Evictor::excess(const store::Totals& totals) const {
  const auto above = [](std::int64_t have, std::int64_t most) {
    return std::max<std::int64_t>(base::subtract_saturated(have, most), 0);
  };
  const engine::ResolvedLimits limits = engine_.limits.get();
  return {above(totals.entries, limits.max_entries),
          above(totals.bytes, std::min(limits.max_bytes, squeezed_to_))};
}

std::int64_t Evictor::max_bytes() const {
  return std::min(engine_.limits.get().max_bytes, squeezed_to_);
}

bool Evictor::squeeze(const store::Totals& totals) {
  if (has_work(totals)) return true;
  const std::int64_t less = totals.bytes - totals.bytes / kSqueezedShare;
  squeezed_to_ = std::min(max_bytes(), std::max(less, kMinBytes));
  return has_work(totals);
}

bool Evictor::has_work(const store::Totals& totals) const {
  return policy_ != nullptr && is_over(totals, 0) && stuck_at_ != totals;
}

Status Evictor::evict_some(store::Store& store, std::int64_t newest) {
  announce_default_limit();
  newest_ = newest;
  stuck_at_.reset();
  reads_taken_ = 0;
  Status done = transactions_.run(store, [this](store::Writer& writer, Changes& changes) {
    return evict_a_portion(writer, changes);
  });
  // Marks are hints: those that were taken for nothing are lost, as the AccessWriter's are.
  if (!done.ok()) engine_.counters.touches_lost.add(reads_taken_);
  return done;
}

Status Evictor::evict_a_portion(store::Writer& writer, Changes& changes) {
  Room room(transactions_.portion());
  bool more_is_due = false;
  if (Status due = remove_due(writer, changes, room, &more_is_due); !due.ok()) return due;
  if (more_is_due) return {};  // it leaves first: the next transaction goes on
  int before = room.rows + 1;  // room left before the last round
  while (room.rows > 0 && room.rows < before && is_over(writer.totals(), kSlackShare)) {
    before = room.rows;
    if (Status round = evict_one_round(writer, changes, room); !round.ok()) return round;
  }
  if (!room.is_used) stuck_at_ = writer.totals();
  return {};
}

Status Evictor::remove_due(store::Writer& writer, Changes& changes, Room& room, bool* more) {
  auto due = writer.erase_due(engine_.clock->wall_now(), room.rows);
  if (!due.ok()) return due.failure();
  for (store::RemovedRow& row : due->rows) {
    room.use(row.byte_size);
    changes.remove(std::move(row.key), RemovalCause::expired, transactions_.wants_own_keys());
  }
  *more = due->more;
  return {};
}

Status Evictor::evict_one_round(store::Writer& writer, Changes& changes, Room& room) {
  const std::int64_t queue = policy_->next_queue(sizes(writer.totals()));
  auto candidates = oldest(writer, queue);
  if (!candidates.ok()) return candidates.failure();
  earliest_return_ = base::kForever;
  for (store::Candidate& candidate : *candidates) {
    const store::Totals totals = writer.totals();
    if (!is_over(totals, kSlackShare) || policy_->next_queue(sizes(totals)) != queue) return {};
    // One that was passed over is older now: it comes first.
    if (candidate.inserted_at > earliest_return_ || !room.has(candidate.byte_size)) return {};
    if (Status judged = judge(writer, candidate, changes, room); !judged.ok()) return judged;
  }
  return {};
}

/// The oldest rows of the queue, or of the other one where it has none; the newest row only where
/// there is no other.
base::Result<std::vector<store::Candidate>> Evictor::oldest(store::Writer& writer,
                                                            std::int64_t queue) {
  const std::int64_t other =
      queue == eviction::kMainQueue ? store::kProbationQueue : eviction::kMainQueue;
  std::vector<store::Candidate> newest;
  for (const std::int64_t each : {queue, other}) {
    auto found = writer.oldest(each, kCandidates);
    if (!found.ok()) return found;
    const auto spared = std::find_if(found->begin(), found->end(), [this](const auto& row) {
      return row.inserted_at == newest_;
    });
    if (spared != found->end()) {
      newest.clear();
      newest.push_back(std::move(*spared));
      found->erase(spared);
    }
    if (!found->empty()) return found;
  }
  return newest;
}

Status Evictor::judge(store::Writer& writer, store::Candidate& candidate, Changes& changes,
                      Room& room) {
  // Reads that were marked and not yet written count too: asking the marks here makes writing all
  // of them before an eviction unnecessary.
  std::int64_t touches = 0;
  if (const auto mark = engine_.access_buffer.take(candidate.rowid)) {
    candidate.accessed_at = std::max(candidate.accessed_at, mark->accessed_at);
    touches = mark->count;
    reads_taken_ += touches;
  }
  const std::int64_t stamp = engine_.sequence_clock.next(engine_.clock->wall_now());
  const eviction::Verdict verdict = policy_->decide(candidate, touches, stamp);
  if (verdict.evict || !reinsertions_.is_allowed()) {
    reinsertions_.deleted();
    room.use(candidate.byte_size);
    changes.touches_dropped += touches;
    return evict(writer, candidate, changes);
  }
  reinsertions_.reinserted();
  room.use(candidate.byte_size);  // its counters may need another byte: then all of it is rewritten
  earliest_return_ = std::min(earliest_return_, verdict.placement.inserted_at);
  changes.touches_written += touches > 0 ? 1 : 0;
  return writer.reinsert(candidate.rowid, verdict.placement);
}

Status Evictor::evict(store::Writer& writer, const store::Candidate& candidate, Changes& changes) {
  policy_->evicted(candidate, sizes(writer.totals()));
  if (Status erased = writer.erase_row(candidate); !erased.ok()) return erased;
  changes.remove(candidate.key, RemovalCause::evicted, transactions_.wants_own_keys());
  return {};
}

eviction::QueueSizes Evictor::sizes(const store::Totals& totals) const {
  const engine::ResolvedLimits limits = engine_.limits.get();
  eviction::QueueSizes sizes;
  sizes.entries = totals.entries;
  sizes.max_entries = limits.max_entries;
  sizes.probation_entries = totals.probation_entries;
  sizes.bytes = totals.bytes;
  sizes.max_bytes = max_bytes();
  sizes.probation_bytes = totals.probation_bytes;
  return sizes;
}

void Evictor::announce_default_limit() {
  const engine::ResolvedLimits limits = engine_.limits.get();
  if (!limits.default_max_bytes || engine_.bytes.load() <= limits.max_bytes) return;
  engine_.notices.notify(
      NoticeKind::default_limit,
      fmt::format("{}: the cache has reached its default limit of {} MiB and evicts "
                  "from now on; set Limits::max_bytes to choose another",
                  engine_.path, limits.max_bytes / MiB),
      engine_.path);
}

}  // namespace ashmemo::maintenance
