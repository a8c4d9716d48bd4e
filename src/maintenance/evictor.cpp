#include "maintenance/evictor.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "base/saturate.hpp"

namespace ashmemo::maintenance {

using base::Status;

namespace {

// Eviction stops at 127/128 of a limit. So it runs once for many new entries, not once for each.
// On average this costs less than 0.1 point of hit ratio.
constexpr std::int64_t kSlackShare = 128;

// At most this share of all rows is spared. A group may have more rows than the cache. If all of
// them were spared, the eviction would remove everything else, for example entries that are read
// often during a scan.
constexpr std::int64_t kSparedShare = 8;

// The number of rows that one query returns.
constexpr int kCandidates = 128;

}  // namespace

bool Evictor::is_over(const store::Totals& totals, std::int64_t slack) const {
  const auto over = [slack](std::int64_t have, std::int64_t max) {
    return max != base::kForever && have > max - (slack == 0 ? 0 : max / slack);
  };
  return over(totals.entries, engine_.limits.get().max_entries) ||
         over(totals.bytes, disk_full_.max_bytes());
}

Evictor::Excess Evictor::excess(const store::Totals& totals) const {
  const auto above = [](std::int64_t have, std::int64_t max) {
    return std::max<std::int64_t>(base::subtract_saturated(have, max), 0);
  };
  return {above(totals.entries, engine_.limits.get().max_entries),
          above(totals.bytes, disk_full_.max_bytes())};
}

bool Evictor::has_work(const store::Totals& totals) const {
  return policy_ != nullptr && is_over(totals, 0) && stuck_at_ != totals;
}

Status Evictor::evict_some(store::Store& store, std::span<const std::int64_t> spared) {
  announce_default_limit();
  stuck_at_.reset();
  reads_taken_ = 0;
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) {
    const std::int64_t share = std::max<std::int64_t>(writer.totals().entries / kSparedShare, 1);
    const auto last = spared.last(std::min(spared.size(), static_cast<std::size_t>(share)));
    spared_.assign(last.begin(), last.end());
    std::sort(spared_.begin(), spared_.end());
    return evict_a_portion(writer, changes);
  });
  // The touches that it took from the access buffer are lost, as in AccessWriter.
  if (!done.ok()) engine_.counters.touches_lost.add(reads_taken_);
  return done;
}

Status Evictor::evict_a_portion(store::Writer& writer, Changes& changes) {
  Remaining remaining(transactions_.portion());
  bool more_is_due = false;
  if (Status due = expire_due(writer, changes, remaining, &more_is_due); !due.ok()) return due;
  if (more_is_due) return {};       // the next transaction continues with expired entries
  int before = remaining.rows + 1;  // stops after a round that deleted and reinserted no row
  while (remaining.rows > 0 && remaining.rows < before && is_over(writer.totals(), kSlackShare)) {
    before = remaining.rows;
    if (Status round = evict_one_round(writer, changes, remaining); !round.ok()) return round;
  }
  if (!remaining.is_used) stuck_at_ = writer.totals();
  return {};
}

Status Evictor::expire_due(store::Writer& writer, Changes& changes, Remaining& remaining,
                           bool* more) {
  auto due = writer.delete_due(engine_.clock->wall_now(), remaining.rows);
  if (!due.ok()) return due.failure();
  for (store::DeletedRow& row : due->rows) {
    remaining.use(row.byte_size);
    changes.remove(std::move(row.key), RemovalCause::expired, transactions_.wants_own_keys());
  }
  *more = due->more;
  return {};
}

Status Evictor::evict_one_round(store::Writer& writer, Changes& changes, Remaining& remaining) {
  const std::int64_t queue = policy_->next_queue(sizes(writer.totals()));
  auto candidates = oldest(writer, queue);
  if (!candidates.ok()) return candidates.failure();
  earliest_return_ = base::kForever;
  for (store::Candidate& candidate : *candidates) {
    const store::Totals totals = writer.totals();
    if (!is_over(totals, kSlackShare) || policy_->next_queue(sizes(totals)) != queue) return {};
    // A row that this round re-inserted is older than the candidate. The next round begins with it.
    if (candidate.inserted_at > earliest_return_ || !remaining.fits(candidate.byte_size)) return {};
    if (Status s = evict_or_reinsert(writer, candidate, changes, remaining); !s.ok()) return s;
  }
  return {};
}

/// The oldest rows of the queue, or of the other queue if this one has none. Returns spared rows
/// only if there are no others.
base::Result<std::vector<store::Candidate>> Evictor::oldest(store::Writer& writer,
                                                            std::int64_t queue) {
  const std::int64_t other =
      queue == eviction::kMainQueue ? store::kProbationQueue : eviction::kMainQueue;
  const int with_spared = kCandidates + static_cast<int>(spared_.size());
  std::vector<store::Candidate> last;  // spared ones
  for (const std::int64_t each : {queue, other}) {
    for (const int limit : {kCandidates, with_spared}) {
      auto found = writer.oldest(each, limit);
      if (!found.ok()) return found;
      const auto spared = std::stable_partition(
          found->begin(), found->end(), [this](const auto& row) { return !is_spared(row); });
      if (spared != found->begin()) {
        found->erase(spared, found->end());
        return found;
      }
      if (found->empty()) break;
      if (last.empty()) last = std::move(*found);
    }
  }
  return last;
}

bool Evictor::is_spared(const store::Candidate& row) const {
  return std::binary_search(spared_.begin(), spared_.end(), row.rowid);
}

Status Evictor::evict_or_reinsert(store::Writer& writer, store::Candidate& candidate,
                                  Changes& changes, Remaining& remaining) {
  // Reads that are not yet written count too. So they need not be written before an eviction.
  std::int64_t touches = 0;
  if (const auto touch = engine_.access_buffer.take(candidate.rowid)) {
    candidate.accessed_at = std::max(candidate.accessed_at, touch->accessed_at);
    touches = touch->count;
    reads_taken_ += touches;
  }
  const std::int64_t stamp = engine_.sequence_clock.next(engine_.clock->wall_now());
  const eviction::Verdict verdict = policy_->decide(candidate, touches, stamp);
  // If the counters of a reinserted row need another byte, SQLite writes the whole row again.
  remaining.use(candidate.byte_size);
  if (!verdict.evict && reinsertions_.is_allowed()) {
    const auto stays = writer.reinsert(candidate.rowid, verdict.placement);
    if (!stays) return stays.failure();
    if (*stays) {
      reinsertions_.reinserted();
      earliest_return_ = std::min(earliest_return_, verdict.placement.inserted_at);
      changes.touches_written += touches > 0 ? 1 : 0;
      return {};
    }
  }
  reinsertions_.deleted();
  changes.touches_dropped += touches;
  return evict(writer, candidate, changes);
}

Status Evictor::evict(store::Writer& writer, const store::Candidate& candidate, Changes& changes) {
  policy_->evicted(candidate, sizes(writer.totals()));
  if (Status erased = writer.delete_row(candidate); !erased.ok()) return erased;
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
  sizes.max_bytes = disk_full_.max_bytes();
  sizes.probation_bytes = totals.probation_bytes;
  return sizes;
}

void Evictor::announce_default_limit() {
  const engine::ResolvedLimits limits = engine_.limits.get();
  if (!limits.default_max_bytes || engine_.bytes.load() <= limits.max_bytes) return;
  engine_.notices.notify(
      NoticeKind::default_limit,
      fmt::format("{}: the cache has reached its default limit of {} MiB and evicts "
                  "from now on; set Limits::max_bytes to choose another limit",
                  engine_.path, limits.max_bytes / MiB),
      engine_.path);
}

}  // namespace ashmemo::maintenance
