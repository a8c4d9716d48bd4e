#include "engine/reading.hpp"

#include <algorithm>
#include <exception>
#include <memory_resource>
#include <optional>
#include <utility>
#include <vector>

#include "base/scratch.hpp"
#include "engine/memory_tier.hpp"

namespace ashmemo::engine {

namespace {

// A batch reads one state of the file, but not for ever: a snapshot that is held long keeps the
// write-ahead log from being reset.
constexpr std::size_t kKeysPerSnapshot = 10'000;

/// An entry that was found, wherever it was.
struct Found {
  store::Deadlines deadlines;
  std::int64_t calculation_id = 0;
  ValueView record_version;
  ValueView value;
  Answer answer;  // what is told about it, state apart
};

Found found_in(const WritePtr& write) {
  Found found{write->deadlines, write->calculation_id, write->record_version, write->value, {}};
  found.answer.cost_us = write->cost_us;
  found.answer.pending = write;
  return found;
}

Found found_in(const store::RowView& row) {
  Found found{row.deadlines, row.calculation_id, row.record_version, row.value, {}};
  found.answer.rowid = row.rowid;
  found.answer.cost_us = row.cost_us;
  return found;
}

/// One call of read(). What the memory tier has is answered in the order asked. The others are
/// visited in the order of their keys, so that equal keys stand together and neighbours in the file
/// are read together.
class Batch final : public store::RowSink {
 public:
  Batch(Engine& engine, std::span<const Query> queries, AnswerSink& sink, std::span<Answer> answers,
        bool want_kept)
      : engine_(engine), queries_(queries), sink_(sink), answers_(answers), want_kept_(want_kept) {}

  void run() {
    ask_tier();
    if (left_.empty()) return;
    plan();
    ask_pending();
    ask_store();
    if (thrown_) std::rethrow_exception(thrown_);
    take_copies();
  }

  void row(std::size_t first, const store::RowView& row) noexcept override {
    try {
      deliver(first, found_in(row));
      if (engine_.tier) engine_.tier->fill(key_at(first), left_[first].look, row);
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }

 private:
  /// A query that the memory tier has not answered.
  struct Left {
    std::size_t index;
    MemoryTier::Look look;
  };
  struct Copy {
    std::size_t index;
    Freshness freshness;
    Value value;
  };

  [[nodiscard]] std::string_view key_at(std::size_t position) const {
    return queries_[left_[position].index].key;
  }

  void ask_tier() {
    MemoryTier* const tier = tier_in_use();
    if (tier == nullptr || queries_.size() > 1) left_.reserve(queries_.size());
    TierCopy copy;
    for (std::size_t i = 0; i < queries_.size(); ++i) {
      MemoryTier::Look look;
      store::RowView row;
      if (tier != nullptr && tier->find(queries_[i].key, look, copy, row)) {
        answer_from_memory(i, found_in(row));
      } else {
        left_.push_back({i, look});
      }
    }
  }

  [[nodiscard]] MemoryTier* tier_in_use() {
    if (!engine_.tier || engine_.tier_watch.is_awake()) return engine_.tier.get();
    if (engine_.tier_watch.ask()) engine_.worker->wake_now();
    return nullptr;
  }

  // With nothing leased and no lock held: any codec may decode what was copied.
  void answer_from_memory(std::size_t index, const Found& found) {
    if (const auto freshness = judged(index, found)) take(index, *freshness, found.value);
    answers_[index].in_memory = true;
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
    const std::shared_ptr<store::Store> store = engine_.store.get();
    now_.reset();
    base::Status read =
        store ? store->read(lookups, *this)
              : base::Failure{base::FailureKind::unavailable, 0, "there is no store at the moment"};
    if (read.ok()) return;
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
      const auto freshness = judged(index, found);
      if (!freshness) return;
      if (sink_.in_place(index)) {
        take(index, *freshness, found.value);
      } else {
        copies_.push_back({index, *freshness, Value(found.value)});
      }
    });
  }

  /// Asked after what it judges was read, once for a batch: but an entry from the future may have
  /// been stored meanwhile.
  [[nodiscard]] std::int64_t now_for(const Found& found) {
    if (!now_ || *now_ < found.deadlines.computed_at) now_ = engine_.clock->wall_now();
    return *now_;
  }

  [[nodiscard]] bool matches(const Query& query, const Found& found) const {
    if (query.calculation == nullptr) return engine_.catalog.is_current(found.calculation_id);
    return found.calculation_id == query.calculation->id.load(std::memory_order_relaxed) &&
           found.record_version == query.record_version;
  }

  /// Notes what was found in the answer; how fresh it is where it may be taken.
  std::optional<Freshness> judged(std::size_t index, const Found& found) {
    const Query& query = queries_[index];
    if (!matches(query, found)) return std::nullopt;
    const Freshness freshness = judge(shortened(found.deadlines, query.lifetimes), now_for(found));
    Answer& answer = answers_[index] = found.answer;
    answer.freshness = freshness;
    if (is_live(freshness) || (want_kept_ && freshness == Freshness::kept)) return freshness;
    answer.kind = Answer::Kind::expired;
    return std::nullopt;
  }

  void take(std::size_t index, Freshness freshness, ValueView value) {
    const bool decoded = sink_.take(index, freshness, value);
    answers_[index].kind = decoded ? Answer::Kind::found : Answer::Kind::undecodable;
  }

  void take_copies() {
    for (const Copy& copy : copies_) take(copy.index, copy.freshness, copy.value);
  }

  Engine& engine_;
  const std::span<const Query> queries_;
  AnswerSink& sink_;
  const std::span<Answer> answers_;
  const bool want_kept_;
  base::Scratch scratch_;
  std::pmr::vector<Left> left_{scratch_.memory()};  // once planned: by key
  // One for each different key; index: its first position in left_.
  std::pmr::vector<store::Lookup> lookups_{scratch_.memory()};
  std::vector<Copy> copies_;  // for sinks that are not in place
  std::optional<std::int64_t> now_;
  std::exception_ptr thrown_;
};

}  // namespace

void read(Engine& engine, std::span<const Query> queries, AnswerSink& sink,
          std::span<Answer> answers, bool want_kept) {
  if (queries.empty()) return;
  if (engine.is_out_of_use()) {
    for (Answer& answer : answers) answer.kind = Answer::Kind::unread;
    return;
  }
  Batch(engine, queries, sink, answers, want_kept).run();
}

}  // namespace ashmemo::engine
