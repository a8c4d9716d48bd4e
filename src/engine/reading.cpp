#include "engine/reading.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/saturate.hpp"
#include "base/scratch.hpp"
#include "base/test_point.hpp"
#include "engine/freshness.hpp"
#include "memory/memory_tier.hpp"
#include "store/rowid_hints.hpp"

namespace ashmemo::engine {

namespace {

// A batch is read from one state of the file, but only up to this size: a snapshot that is held for
// long prevents the write-ahead log from starting over.
constexpr std::size_t kKeysPerSnapshot = 10'000;

/// An entry that was found in any place.
struct Found {
  const store::EntryView& entry;
  const WritePtr* pending = nullptr;  // null: in the file or in memory
};

/// Decides which found entries answer the queries of one call of read(), from all places.
class Matcher {
 public:
  Matcher(Engine& engine, std::span<const Query> queries, ValueSink& sink,
          std::span<Answer> answers, bool want_kept)
      : engine_(engine), queries_(queries), sink_(sink), answers_(answers), want_kept_(want_kept) {}

  /// Fills the answer. Returns the freshness if the value may answer.
  std::optional<Freshness> match(std::size_t index, const Found& found) {
    const Query& query = queries_[index];
    if (!matches(query, found)) return std::nullopt;
    const bool is_nothing = found.entry.value.type() == ValueType::null;
    const Deadlines deadlines =
        shortened(found.entry.deadlines, is_nothing ? query.nothing : query.lifetimes);
    const Freshness freshness = freshness_of(deadlines, now_for(found));
    Answer& answer = answers_[index];
    answer.freshness = freshness;
    answer.rowid = found.entry.rowid;
    answer.cost_us = found.entry.cost_us;
    if (found.pending != nullptr) answer.pending = *found.pending;
    if (is_live(freshness) || (want_kept_ && freshness == Freshness::kept)) return freshness;
    answer.kind = Answer::Kind::expired;
    return std::nullopt;
  }

  void damaged(std::size_t index) noexcept { answers_[index].kind = Answer::Kind::damaged; }

  void take(std::size_t index, Freshness freshness, ValueView value) {
    const bool decoded = sink_.take(index, freshness, value);
    answers_[index].kind = decoded ? Answer::Kind::found : Answer::Kind::undecodable;
  }

  /// The clock is asked again for the next found entry.
  void forget_now() noexcept { is_now_known_ = false; }
  [[nodiscard]] std::int64_t now() const noexcept { return now_; }

 private:
  [[nodiscard]] bool matches(const Query& query, const Found& found) const {
    if (query.calculation == nullptr) return engine_.catalog.is_current(found.entry.calculation_id);
    return found.entry.calculation_id == query.calculation->id.load(std::memory_order_relaxed) &&
           found.entry.record_version == query.record_version;
  }

  /// The clock is asked after the entry was read, and once for many entries. It is asked again if
  /// an entry seems to be from the future, because the entry may have been stored in the meantime.
  [[nodiscard]] std::int64_t now_for(const Found& found) {
    if (!is_now_known_ || now_ < found.entry.deadlines.computed_at)
      now_ = engine_.clock->wall_now();
    is_now_known_ = true;
    return now_;
  }

  Engine& engine_;
  const std::span<const Query> queries_;
  ValueSink& sink_;
  const std::span<Answer> answers_;
  const bool want_kept_;
  bool is_now_known_ = false;
  std::int64_t now_ = 0;
};

/// A query that the memory tier did not answer.
struct Unanswered {
  std::size_t index;
  memory::MemoryTier::Look look;
};

/// Answers the remaining queries from the write queue and the store. It visits them in the order of
/// their keys, so that equal keys are looked up once.
class SlowRead final : public store::RowSink {
 public:
  SlowRead(Engine& engine, std::span<const Query> queries, ValueSink& sink,
           std::span<Answer> answers, Matcher& matcher)
      : engine_(engine), queries_(queries), sink_(sink), answers_(answers), matcher_(matcher) {}

  void add(const Unanswered& query) {
    if (unanswered_.empty()) unanswered_.reserve(queries_.size() - query.index);
    unanswered_.push_back(query);
    engine_.hints->prefetch(queries_[query.index].key);
  }

  void run() {
    ASHMEMO_TEST_POINT("read: asked memory");
    plan();
    ask_pending();
    ASHMEMO_TEST_POINT("read: asked pending");
    ask_store();
    if (thrown_) std::rethrow_exception(thrown_);
    take_copies();
  }

  void row(std::size_t first, const store::EntryView& row) noexcept override {
    try {
      deliver(first, {row});
      ASHMEMO_TEST_POINT("read: has a row");
      // Without a writer nothing notices that another program changes the file.
      if (engine_.tier && engine_.store.has_writer()) {
        engine_.tier->fill(key_at(first), unanswered_[first].look, row);
      }
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }

  void damaged(std::size_t first, std::int64_t rowid) noexcept override {
    for_each_query(first, [this](std::size_t index) { matcher_.damaged(index); });
    engine_.row_is_damaged(rowid);
  }

  void used_hints(std::int64_t right, std::int64_t wrong) noexcept override {
    ReadCounters& mine = engine_.counters.reads.mine();
    mine.hint_hits.add(right);
    mine.wrong_hints.add(wrong);
  }

 private:
  struct Copy {
    std::size_t index;
    Freshness freshness;
    Value value;
  };

  [[nodiscard]] std::string_view key_at(std::size_t position) const {
    return queries_[unanswered_[position].index].key;
  }

  void plan() {
    const auto by_key = [this](const Unanswered& a, const Unanswered& b) {
      return queries_[a.index].key < queries_[b.index].key;
    };
    if (!std::is_sorted(unanswered_.begin(), unanswered_.end(), by_key)) {
      std::sort(unanswered_.begin(), unanswered_.end(), by_key);
    }
    lookups_.reserve(unanswered_.size());
    for (std::size_t i = 0; i < unanswered_.size(); ++i) {
      if (i == 0 || key_at(i) != key_at(i - 1)) lookups_.push_back({key_at(i), i});
    }
  }

  void ask_pending() {
    std::vector<std::pair<std::size_t, Pending>> pending;
    engine_.pending.find_many(lookups_, [&](std::size_t first, const Pending& found) {
      pending.emplace_back(first, found);
    });
    if (pending.empty()) return;
    for (const auto& [first, found] : pending) {
      if (found.kind == Pending::Kind::put) deliver(first, {found.write->view(), &found.write});
    }
    auto answered = pending.begin();
    std::erase_if(lookups_, [&](const store::Lookup& lookup) {
      const bool here = answered != pending.end() && answered->first == lookup.index;
      if (here) ++answered;
      return here;
    });
  }

  void ask_store() {
    const std::span<const store::Lookup> all(lookups_);
    for (std::size_t at = 0; at < all.size(); at += kKeysPerSnapshot) {
      ask_store_for(all.subspan(at, std::min(kKeysPerSnapshot, all.size() - at)));
    }
  }

  void ask_store_for(std::span<const store::Lookup> lookups) {
    const std::shared_ptr<store::Store> store = engine_.store_to_read();
    matcher_.forget_now();
    base::Status read =
        store ? store->read(lookups, *this)
              : base::Failure{base::FailureKind::unavailable, 0, "there is no store at the moment"};
    if (read.ok()) return engine_.store_was_read();
    if (store) engine_.store_failed(*store, read.failure());
    for (const store::Lookup& lookup : lookups) {
      for_each_query(lookup.index, [this](std::size_t index) {
        Answer& answer = answers_[index];
        if (answer.kind == Answer::Kind::missing) answer.kind = Answer::Kind::unread;
      });
    }
  }

  /// Calls `visit` for each query of the key at position `first`.
  template <class Visit>
  void for_each_query(std::size_t first, Visit visit) {
    const std::string_view key = key_at(first);
    for (std::size_t i = first; i < unanswered_.size() && key_at(i) == key; ++i)
      visit(unanswered_[i].index);
  }

  void deliver(std::size_t first, const Found& found) {
    for_each_query(first, [&](std::size_t index) {
      const auto freshness = matcher_.match(index, found);
      if (!freshness) return;
      if (sink_.in_place(index)) {
        matcher_.take(index, *freshness, found.entry.value);
      } else {
        copies_.push_back({index, *freshness, Value(found.entry.value)});
      }
    });
  }

  void take_copies() {
    for (const Copy& copy : copies_) matcher_.take(copy.index, copy.freshness, copy.value);
  }

  Engine& engine_;
  const std::span<const Query> queries_;
  ValueSink& sink_;
  const std::span<Answer> answers_;
  Matcher& matcher_;
  base::Scratch scratch_;
  std::pmr::vector<Unanswered> unanswered_{scratch_.memory()};  // sorted by key in plan()
  // One for each different key; `index` is its first position in unanswered_.
  std::pmr::vector<store::Lookup> lookups_{scratch_.memory()};
  std::vector<Copy> copies_;  // of values that the sink takes only after the read
  std::exception_ptr thrown_;
};

bool tier_may_answer(Engine& engine) {
  if (!engine.tier) return false;
  if (engine.tier_watch.is_awake() || !engine.store.has_writer()) return true;
  if (engine.tier_watch.ask()) engine.worker->wake_now();
  return false;
}

/// Answers from the memory tier. It works on copies, without a lock or a reader, so any codec may
/// decode them.
class FromMemory {
 public:
  FromMemory(Engine& engine, std::span<const Query> queries, std::span<Answer> answers,
             Matcher& matcher)
      : engine_(engine),
        queries_(queries),
        answers_(answers),
        matcher_(matcher),
        may_answer_(tier_may_answer(engine)) {}

  /// Returns false if the tier does not answer; then `query` is filled for SlowRead.
  bool answer(std::size_t index, Unanswered& query) {
    query.index = index;
    store::EntryView row;
    if (!engine_.tier || !engine_.tier->find(queries_[index].key, query.look, copy_, row)) {
      return false;
    }
    if (!may_answer_) return false;
    if (const auto freshness = matcher_.match(index, {row})) {
      matcher_.take(index, *freshness, row.value);
    }
    answers_[index].in_memory = true;
    return true;
  }

 private:
  Engine& engine_;
  const std::span<const Query> queries_;
  const std::span<Answer> answers_;
  Matcher& matcher_;
  const bool may_answer_;
  memory::TierCopy copy_;
};

}  // namespace

std::int64_t read(Engine& engine, std::span<const Query> queries, ValueSink& sink,
                  std::span<Answer> answers, bool want_kept) {
  engine.help_worker();
  if (engine.is_out_of_use()) {
    for (Answer& answer : answers) answer.kind = Answer::Kind::unread;
    return 0;
  }
  Matcher matcher(engine, queries, sink, answers, want_kept);
  FromMemory memory(engine, queries, answers, matcher);
  std::size_t index = 0;
  Unanswered query;
  while (index < queries.size() && memory.answer(index, query)) ++index;
  if (index == queries.size()) return matcher.now();
  SlowRead rest(engine, queries, sink, answers, matcher);
  rest.add(query);
  while (++index < queries.size()) {
    if (!memory.answer(index, query)) rest.add(query);
  }
  rest.run();
  return matcher.now();
}

namespace {

/// The time of a hit; 0 if the entry is not fresh. The coarse clock is enough unless a deadline of
/// the entry is near.
std::int64_t moment_of_hit(const Engine& engine, const Deadlines& deadlines) {
  const std::int64_t coarse = engine.coarse_clock.now();
  const std::int64_t latest = base::add_saturated(coarse, CoarseClock::kMaxBehind);
  if (is_fresh_throughout(deadlines, coarse, latest)) return coarse;
  const std::int64_t now = engine.clock->wall_now();
  return freshness_of(deadlines, now) == Freshness::fresh ? now : 0;
}

void count(Engine& engine, const store::EntryView& row, std::int64_t now) {
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

bool hit_in_memory(Engine& engine, std::string_view key, ValueSink& sink) {
  if (!engine.tier) return false;
  engine.help_worker();  // a hook in it may fork
  if (engine.is_out_of_use()) return false;
  if (!engine.tier_watch.is_awake() && engine.store.has_writer()) return false;
  memory::MemoryTier::Look look;
  memory::TierCopy copy;
  store::EntryView row;
  if (!engine.tier->find(key, look, copy, row)) return false;
  if (!engine.catalog.is_current(row.calculation_id)) return false;
  const std::int64_t now = moment_of_hit(engine, row.deadlines);
  if (now == 0 || !sink.take(0, Freshness::fresh, row.value)) return false;
  count(engine, row, now);
  return true;
}

namespace {

/// The sums of one call, which are added to the shared counters once.
struct Tally {
  std::int64_t hits[2]{}, stale[2]{};  // from the file, from memory
  std::int64_t misses = 0, saved_us = 0;
  std::array<std::int64_t, 6> kinds{};  // by Answer::Kind

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
  counters.damaged.add(tally.of(Answer::Kind::damaged));
  counters.unread.add(tally.of(Answer::Kind::unread));
}

/// Loads ask one calculation after the other, so consecutive queries share one tally.
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
  if (engine.process.is_forked_child()) return;  // the codec has forked
  const auto first = std::find_if(answers.begin(), answers.end(), [](const Answer& answer) {
    return answer.kind == Answer::Kind::undecodable;
  });
  const std::string key(queries[static_cast<std::size_t>(first - answers.begin())].key);
  engine.notices.notify(
      NoticeKind::undecodable,
      "the stored value of " + key + " does not decode as the requested type; it counts as a miss",
      key);
}

/// Marks a read in the access buffer. A queued write has no row yet, so it counts its reads itself.
AccessBuffer::Marked mark(Engine& engine, const Answer& answer, std::int64_t now) {
  if (!answer.pending) return engine.access_buffer.mark(answer.rowid, now, engine.sequence_clock);
  const std::int64_t before = answer.pending->touches.fetch_add(1, std::memory_order_relaxed);
  return before == 0 ? AccessBuffer::Marked::fresh : AccessBuffer::Marked::coalesced;
}

bool leaves_touch(const Query& query) {
  return query.calculation == nullptr || query.calculation->is_touched;
}

}  // namespace

void record_answers(Engine& engine, std::span<const Query> queries, std::span<const Answer> answers,
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

/// A sink that only needs to know that an entry exists.
class Presence final : public ValueSink {
 public:
  bool take(std::size_t, Freshness, ValueView) override { return true; }
  [[nodiscard]] bool in_place(std::size_t) const noexcept override { return true; }
};

/// The answers and the time at which their freshness was decided.
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
