#include "engine/reading.hpp"

#include <algorithm>
#include <exception>
#include <memory_resource>
#include <optional>
#include <utility>
#include <vector>

#include "base/saturate.hpp"
#include "base/scratch.hpp"
#include "base/test_point.hpp"
#include "engine/freshness.hpp"
#include "memory/memory_tier.hpp"

namespace ashmemo::engine {

namespace {

// A batch reads one state of the file, but not for ever: a snapshot that is held long keeps the
// write-ahead log from being reset.
constexpr std::size_t kKeysPerSnapshot = 10'000;

/// An entry that was found, wherever it was. Refers to a row or a write.
struct Found {
  const Deadlines& deadlines;
  std::int64_t calculation_id;
  ValueView record_version;
  ValueView value;
  std::int64_t cost_us;
  std::int64_t rowid;       // 0: pending
  const WritePtr* pending;  // null: in the file
};

Found found_in(const WritePtr& write) {
  return {write->deadlines,
          write->calculation_id,
          write->record_version,
          write->value,
          write->cost_us,
          0,
          &write};
}

Found found_in(const store::RowView& row) {
  return {row.deadlines, row.calculation_id, row.record_version, row.value, row.cost_us, row.rowid,
          nullptr};
}

/// What is done with the entries that one call of read() finds, wherever they were.
class Judge {
 public:
  Judge(Engine& engine, std::span<const Query> queries, ValueSink& sink, std::span<Answer> answers,
        bool want_kept)
      : engine_(engine), queries_(queries), sink_(sink), answers_(answers), want_kept_(want_kept) {}

  /// Notes in the answer what was found; how fresh it is where it may be taken.
  std::optional<Freshness> judge(std::size_t index, const Found& found) {
    const Query& query = queries_[index];
    if (!matches(query, found)) return std::nullopt;
    const bool is_nothing = found.value.type() == ValueType::null;
    const Deadlines deadlines =
        shortened(found.deadlines, is_nothing ? query.nothing : query.lifetimes);
    const Freshness freshness = engine::freshness_of(deadlines, now_for(found));
    Answer& answer = answers_[index];
    answer.freshness = freshness;
    answer.rowid = found.rowid;
    answer.cost_us = found.cost_us;
    if (found.pending != nullptr) answer.pending = *found.pending;
    if (is_live(freshness) || (want_kept_ && freshness == Freshness::kept)) return freshness;
    answer.kind = Answer::Kind::expired;
    return std::nullopt;
  }

  void take(std::size_t index, Freshness freshness, ValueView value) {
    const bool decoded = sink_.take(index, freshness, value);
    answers_[index].kind = decoded ? Answer::Kind::found : Answer::Kind::undecodable;
  }

  /// The clock is asked again for what is found from here on.
  void forget_now() noexcept { is_now_known_ = false; }
  [[nodiscard]] std::int64_t now() const noexcept { return now_; }

 private:
  [[nodiscard]] bool matches(const Query& query, const Found& found) const {
    if (query.calculation == nullptr) return engine_.catalog.is_current(found.calculation_id);
    return found.calculation_id == query.calculation->id.load(std::memory_order_relaxed) &&
           found.record_version == query.record_version;
  }

  /// Asked after what it judges was read, once for many: but an entry that seems to be from the
  /// future may have been stored meanwhile.
  [[nodiscard]] std::int64_t now_for(const Found& found) {
    if (!is_now_known_ || now_ < found.deadlines.computed_at) now_ = engine_.clock->wall_now();
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

/// A query that the memory tier has not answered.
struct Left {
  std::size_t index;
  memory::MemoryTier::Look look;
};

/// What is left for pending writes and the store. Visited in the order of the keys, so that equal
/// keys stand together and neighbours in the file are read together.
class Rest final : public store::RowSink {
 public:
  Rest(Engine& engine, std::span<const Query> queries, ValueSink& sink, std::span<Answer> answers,
       Judge& judge)
      : engine_(engine), queries_(queries), sink_(sink), answers_(answers), judge_(judge) {}

  void add(const Left& left) {
    if (left_.empty()) left_.reserve(queries_.size() - left.index);
    left_.push_back(left);
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

  void row(std::size_t first, const store::RowView& row) noexcept override {
    try {
      deliver(first, found_in(row));
      ASHMEMO_TEST_POINT("read: has a row");
      if (engine_.tier) engine_.tier->fill(key_at(first), left_[first].look, row);
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }

 private:
  struct Copy {
    std::size_t index;
    Freshness freshness;
    Value value;
  };

  [[nodiscard]] std::string_view key_at(std::size_t position) const {
    return queries_[left_[position].index].key;
  }

  void plan() {
    const auto by_key = [this](const Left& a, const Left& b) {
      return queries_[a.index].key < queries_[b.index].key;
    };
    if (!std::is_sorted(left_.begin(), left_.end(), by_key)) {
      std::sort(left_.begin(), left_.end(), by_key);
    }
    lookups_.reserve(left_.size());
    for (std::size_t i = 0; i < left_.size(); ++i) {
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
      if (found.kind == Pending::Kind::put) deliver(first, found_in(found.write));
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
    judge_.forget_now();
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

  /// Calls `visit` for every query that asks for the key at position `first`.
  template <class Visit>
  void for_each_query(std::size_t first, Visit visit) {
    const std::string_view key = key_at(first);
    for (std::size_t i = first; i < left_.size() && key_at(i) == key; ++i) visit(left_[i].index);
  }

  void deliver(std::size_t first, const Found& found) {
    for_each_query(first, [&](std::size_t index) {
      const auto freshness = judge_.judge(index, found);
      if (!freshness) return;
      if (sink_.in_place(index)) {
        judge_.take(index, *freshness, found.value);
      } else {
        copies_.push_back({index, *freshness, Value(found.value)});
      }
    });
  }

  void take_copies() {
    for (const Copy& copy : copies_) judge_.take(copy.index, copy.freshness, copy.value);
  }

  Engine& engine_;
  const std::span<const Query> queries_;
  ValueSink& sink_;
  const std::span<Answer> answers_;
  Judge& judge_;
  base::Scratch scratch_;
  std::pmr::vector<Left> left_{scratch_.memory()};  // once planned: by key
  // One for each different key; index: its first position in left_.
  std::pmr::vector<store::Lookup> lookups_{scratch_.memory()};
  std::vector<Copy> copies_;  // for sinks that are not in place
  std::exception_ptr thrown_;
};

bool tier_may_answer(Engine& engine) {
  if (!engine.tier) return false;
  if (engine.tier_watch.is_awake() || engine.store.empty()) return true;
  if (engine.tier_watch.ask()) engine.worker->wake_now();
  return false;
}

/// Answers from the memory tier. With nothing leased and no lock held: any codec may decode what
/// was copied.
class FromMemory {
 public:
  FromMemory(Engine& engine, std::span<const Query> queries, std::span<Answer> answers,
             Judge& judge)
      : engine_(engine),
        queries_(queries),
        answers_(answers),
        judge_(judge),
        may_answer_(tier_may_answer(engine)) {}

  /// False: not from here. `left` is what the next ones to be asked need.
  bool answer(std::size_t index, Left& left) {
    left.index = index;
    store::RowView row;
    if (!engine_.tier || !engine_.tier->find(queries_[index].key, left.look, copy_, row)) {
      return false;
    }
    if (!may_answer_) return false;
    const Found found = found_in(row);
    if (const auto freshness = judge_.judge(index, found)) {
      judge_.take(index, *freshness, found.value);
    }
    answers_[index].in_memory = true;
    return true;
  }

 private:
  Engine& engine_;
  const std::span<const Query> queries_;
  const std::span<Answer> answers_;
  Judge& judge_;
  const bool may_answer_;
  memory::TierCopy copy_;
};

}  // namespace

std::int64_t read(Engine& engine, std::span<const Query> queries, ValueSink& sink,
                  std::span<Answer> answers, bool want_kept) {
  if (engine.is_out_of_use()) {
    for (Answer& answer : answers) answer.kind = Answer::Kind::unread;
    return 0;
  }
  Judge judge(engine, queries, sink, answers, want_kept);
  FromMemory memory(engine, queries, answers, judge);
  std::size_t index = 0;
  Left left;
  while (index < queries.size() && memory.answer(index, left)) ++index;
  if (index == queries.size()) return judge.now();
  Rest rest(engine, queries, sink, answers, judge);
  rest.add(left);
  while (++index < queries.size()) {
    if (!memory.answer(index, left)) rest.add(left);
  }
  rest.run();
  return judge.now();
}

namespace {

/// The moment of a hit, for which a rough one will do far from the entry's ends; nothing: it is
/// none.
std::int64_t moment_of_hit(const Engine& engine, const Deadlines& deadlines) {
  const std::int64_t coarse = engine.coarse_clock.now();
  const std::int64_t latest = base::add_saturated(coarse, CoarseClock::kMaxBehind);
  if (is_fresh_throughout(deadlines, coarse, latest)) return coarse;
  const std::int64_t now = engine.clock->wall_now();
  return freshness_of(deadlines, now) == Freshness::fresh ? now : 0;
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

bool hit_in_memory(Engine& engine, std::string_view key, ValueSink& sink) {
  if (!engine.tier || engine.is_out_of_use()) return false;
  if (!engine.tier_watch.is_awake() && !engine.store.empty()) return false;
  memory::MemoryTier::Look look;
  memory::TierCopy copy;
  store::RowView row;
  if (!engine.tier->find(key, look, copy, row)) return false;
  if (!engine.catalog.is_current(row.calculation_id)) return false;
  const std::int64_t now = moment_of_hit(engine, row.deadlines);
  if (now == 0 || !sink.take(0, Freshness::fresh, row.value)) return false;
  count(engine, row, now);
  return true;
}

}  // namespace ashmemo::engine
