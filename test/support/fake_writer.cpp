#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <utility>

#include "support/fake_store.hpp"

namespace ashmemo::test {

namespace {

using base::Result;
using base::Status;
using store::DeletedRow;
using Counts = store::CalculationCounts<std::int64_t>;

constexpr std::int64_t kMaxBytes = 4 * 1024 * 1024;
constexpr std::int64_t kPageBytes = 4096;
constexpr std::int64_t kBytesOfCommit = kPageBytes;

void require(bool holds, const char* rule) {
  if (holds) return;
  std::fprintf(stderr, "fake writer: %s\n", rule);
  std::abort();
}

/// Aborts if another thread is in the writer.
class Alone {
 public:
  explicit Alone(std::atomic<bool>& busy) : busy_(busy) {
    require(!busy_.exchange(true), "two threads at once");
  }
  ~Alone() { busy_ = false; }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  std::atomic<bool>& busy_;
};

DeletedRow deleted_row(const std::string& key, const FakeRow& row) {
  return {row.rowid, key, row.byte_size, row.calculation_id, row.deadlines, row.eviction_queue};
}

class FakeWriter final : public store::Writer {
 public:
  FakeWriter(FakeFile& file, std::atomic<std::uint64_t>& commits)
      : file_(file), commits_(commits) {}

  Result<Begun> begin() override {
    const Alone alone(busy_);
    require(!transaction_.owns_lock(), "begin inside a transaction");
    transaction_ = file_.lock_for_writing();
    const Begun begun = look_around();
    changed_ = false;
    return begun;
  }

  Result<Begun> look() override {
    const Alone alone(busy_);
    require(!transaction_.owns_lock(), "look inside a transaction");
    return look_around();
  }

  Status commit(bool) override {
    const Alone alone = change();
    const auto ends = std::move(transaction_);
    last_ = changed_ ? std::make_shared<const FakeFile::State>(state_) : file_.state();
    if (!changed_) return {};
    file_.set_state(last_);
    file_.wal_bytes += kBytesOfCommit;
    ++commits_;
    return {};
  }

  void rollback() noexcept override {
    const Alone alone(busy_);
    if (!transaction_.owns_lock()) return;
    const auto ends = std::move(transaction_);
    const std::int64_t next_rowid = state_.next_rowid;
    state_ = *file_.state();
    state_.next_rowid = next_rowid;
  }

  Result<std::optional<DeletedRow>> put(const store::PutRow& put) override {
    const Alone alone = change();
    changed_ = true;
    std::optional<DeletedRow> before;
    bool stays = false;
    auto found = state_.rows.find(put.key);
    if (found == state_.rows.end()) {
      found = state_.rows.emplace(std::string(put.key), FakeRow{}).first;
      found->second.rowid = state_.next_rowid++;
      found->second.eviction_queue = put.eviction_queue;
      found->second.eviction_counter = put.eviction_counter;
    } else {
      before = deleted_row(found->first, found->second);
      state_.count(found->second, -1);
      stays = store::keeps_place(*before, put);
      if (!stays) found->second.eviction_counter = 0;
    }
    FakeRow& row = found->second;
    row.byte_size = put.byte_size;
    if (!stays) row.inserted_at = row.accessed_at = put.stamp;
    if (stays) add_reads(row, put.overwrite->reads);
    if (stays && put.overwrite->is_access) row.accessed_at = std::max(row.accessed_at, put.stamp);
    row.access_count += put.touches;
    row.calculation_id = put.calculation_id;
    row.cost_us = put.cost_us;
    row.is_damaged = false;
    row.deadlines = put.deadlines;
    row.record_version = Value(put.record_version);
    row.value = Value(put.value);
    state_.count(row, 1);
    state_.last_stamp = std::max(state_.last_stamp, put.stamp);
    last_rowid_ = row.rowid;
    return before;
  }

  std::int64_t last_rowid() const noexcept override { return last_rowid_; }

  Result<std::optional<DeletedRow>> delete_key(std::string_view key) override {
    const Alone alone = change();
    const auto found = state_.rows.find(key);
    if (found == state_.rows.end()) return std::optional<DeletedRow>();
    auto before = std::optional(deleted_row(found->first, found->second));
    remove(found);
    return before;
  }

  Result<std::optional<std::int64_t>> touch(const store::TouchRow& touch) override {
    const Alone alone = change();
    FakeRow* const row = by_rowid(touch.rowid);
    if (row == nullptr) return std::optional<std::int64_t>();
    changed_ = true;
    row->accessed_at = std::max(row->accessed_at, touch.accessed_at);
    state_.last_stamp = std::max(state_.last_stamp, touch.accessed_at);
    row->access_count += touch.count;
    add_reads(*row, touch.count);
    return std::optional(row->byte_size);
  }

  Status delete_row(const store::Candidate& candidate) override {
    const Alone alone = change();
    const auto found = state_.rows.find(candidate.key);
    const bool same = found != state_.rows.end() && found->second.rowid == candidate.rowid;
    if (same) remove(found);
    return {};
  }

  Result<std::optional<DeletedRow>> delete_damaged(std::int64_t rowid) override {
    const Alone alone = change();
    for (auto at = state_.rows.begin(); at != state_.rows.end(); ++at) {
      if (at->second.rowid != rowid || !at->second.is_damaged) continue;
      auto before = std::optional(deleted_row(at->first, at->second));
      remove(at);
      return before;
    }
    return std::optional<DeletedRow>();
  }

  Result<bool> reinsert(std::int64_t rowid, const store::Placement& to) override {
    const Alone alone = change();
    FakeRow* const row = by_rowid(rowid);
    if (row == nullptr) return true;
    changed_ = true;
    state_.count(*row, -1);
    row->inserted_at = to.inserted_at;
    row->accessed_at = to.accessed_at;
    row->access_count += to.touches;
    row->eviction_counter = to.eviction_counter;
    row->eviction_queue = to.eviction_queue;
    state_.count(*row, 1);
    state_.last_stamp = std::max(state_.last_stamp, to.inserted_at);
    return true;
  }

  Result<Deleted> delete_prefix(std::string_view prefix, int max_rows) override {
    return delete_where(
        max_rows, [&](const std::string& key, const FakeRow&) { return key.starts_with(prefix); });
  }

  Result<Due> delete_due(std::int64_t now, int max_rows) override {
    const auto is_due = [now](const std::string&, const FakeRow& row) {
      return row.deadlines.keep_until <= now;
    };
    Due due;
    due.rows = delete_where(max_rows, is_due);
    due.more = std::any_of(state_.rows.begin(), state_.rows.end(),
                           [&](const auto& each) { return is_due(each.first, each.second); });
    return due;
  }

  Result<Due> delete_future(std::int64_t now, std::int64_t*, int max_rows) override {
    const auto is_due = [now](const std::string&, const FakeRow& row) {
      return row.deadlines.computed_at > now;
    };
    Due due;
    due.rows = delete_where(max_rows, is_due);
    due.more = std::any_of(state_.rows.begin(), state_.rows.end(),
                           [&](const auto& each) { return is_due(each.first, each.second); });
    return due;
  }

  Result<Deleted> delete_retired(std::optional<std::int64_t>* rowid, int max_rows) override {
    const Alone alone = change();
    std::map<std::int64_t, std::string> later;
    for (const auto& [key, row] : state_.rows) {
      if (row.rowid > rowid->value_or(0)) later[row.rowid] = key;
    }
    Deleted removed;
    int looked_at = 0;
    for (const auto& [id, key] : later) {
      if (looked_at++ == max_rows) return removed;
      *rowid = id;
      const auto found = state_.rows.find(key);
      const auto calculation = state_.calculations.find(found->second.calculation_id);
      if (calculation == state_.calculations.end() || !calculation->second.retired) continue;
      removed.push_back(deleted_row(found->first, found->second));
      remove(found);
    }
    *rowid = std::nullopt;
    return removed;
  }

  Result<std::int64_t> delete_everything() override {
    const Alone alone = change();
    changed_ = true;
    const auto removed = static_cast<std::int64_t>(state_.rows.size());
    state_.rows.clear();
    state_.totals = {};
    return removed;
  }

  Result<std::vector<store::Candidate>> oldest(std::int64_t queue, int max_rows) override {
    const Alone alone = change();
    std::vector<store::Candidate> out;
    for (const auto& [key, row] : state_.rows) {
      if (row.eviction_queue != queue) continue;
      out.push_back({row.rowid, key, row.byte_size, row.inserted_at, row.accessed_at,
                     row.eviction_counter, row.eviction_queue});
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
      return std::pair(a.inserted_at, a.accessed_at) < std::pair(b.inserted_at, b.accessed_at);
    });
    if (out.size() > static_cast<std::size_t>(max_rows))
      out.resize(static_cast<std::size_t>(max_rows));
    return out;
  }

  Status put_calculation(const store::CalculationRow& row) override {
    const Alone alone = change();
    changed_ = true;
    const auto [found, is_new] = state_.calculations.try_emplace(row.id, row);
    if (is_new) return {};
    store::CalculationRow& known = found->second;
    store::CalculationRow next = row;
    if (!row.retired) static_cast<Counts&>(next) = known;
    known = next;
    return {};
  }

  Status add_counters(const store::CalculationRow& deltas) override {
    const Alone alone = change();
    const auto found = state_.calculations.find(deltas.id);
    if (found == state_.calculations.end()) return {};
    changed_ = true;
    store::CalculationRow& row = found->second;
    for (const auto count : store::kCalculationCounts<std::int64_t>) row.*count += deltas.*count;
    return {};
  }

  Status delete_calculations(std::span<const std::int64_t> ids) override {
    const Alone alone = change();
    for (const std::int64_t id : ids) {
      const auto found = state_.calculations.find(id);
      if (found == state_.calculations.end() || !found->second.retired) continue;
      changed_ = true;
      state_.calculations.erase(found);
    }
    return {};
  }

  store::Totals totals() const noexcept override { return state_.totals; }

  Result<store::Totals> recount() override {
    const Alone alone = change();
    store::Totals counted;
    std::swap(counted, state_.totals);
    for (const auto& [key, row] : state_.rows) state_.count(row, 1);
    changed_ = true;
    return store::Totals{state_.totals.entries - counted.entries,
                         state_.totals.bytes - counted.bytes, 0, 0};
  }

  Status find_rowids(std::span<store::RowidOf> keys) override {
    const Alone alone(busy_);
    require(!transaction_.owns_lock(), "looking keys up inside a transaction");
    const FakeFile::StatePtr state = file_.state();
    for (store::RowidOf& each : keys) {
      const auto found = state->rows.find(each.key);
      if (found != state->rows.end()) each.rowid = found->second.rowid;
    }
    return {};
  }

  Result<Checkpoint> checkpoint(bool truncate) override {
    const Alone alone(busy_);
    require(!transaction_.owns_lock(), "checkpoint inside a transaction");
    ++file_.checkpoints;
    file_.truncations += truncate ? 1 : 0;
    const std::int64_t frames = file_.wal_bytes / kBytesOfCommit;
    if (!file_.foreign_reader && !file_.own_reader && !file_.foreign_lock) {
      file_.wal_bytes = 0;
      file_.file_bytes -= file_.given_back.exchange(0);
    }
    // As the real writer, which cannot see a foreign reader while an own reader blocks the
    // checkpoint.
    return Checkpoint{frames, frames, file_.foreign_reader && !file_.own_reader, file_.own_reader};
  }

  Result<std::int64_t> vacuum(int pages) override {
    const Alone alone(busy_);
    require(!transaction_.owns_lock(), "vacuum inside a transaction");
    if (!file_.vacuums) return file_.free_pages.load();
    const std::int64_t given = std::min<std::int64_t>(pages, file_.free_pages);
    file_.given_back += std::min(given * kPageBytes, file_.file_bytes - file_.given_back);
    return file_.free_pages -= given;
  }

  Result<std::int64_t> bytes_when_moved() override { return file_.file_bytes - file_.given_back; }

  std::int64_t wal_bytes() const noexcept override { return file_.wal_bytes; }

 private:
  using Found = decltype(FakeFile::State::rows)::iterator;

  Begun look_around() {
    const FakeFile::StatePtr found = file_.state();
    const bool foreign = last_ != nullptr && found != last_;
    if (foreign) ++commits_;
    const std::int64_t next_rowid = std::max(state_.next_rowid, found->next_rowid);
    state_ = *found;
    state_.next_rowid = next_rowid;
    last_ = found;
    return Begun{foreign};
  }

  [[nodiscard]] Alone change() {
    require(transaction_.owns_lock(), "a change outside of a transaction");
    return Alone(busy_);
  }

  void remove(Found found) {
    changed_ = true;
    state_.count(found->second, -1);
    state_.rows.erase(found);
  }

  static void add_reads(FakeRow& row, std::int64_t reads) {
    row.eviction_counter = std::min(row.eviction_counter + reads, store::kMaxEvictionCounter);
  }

  FakeRow* by_rowid(std::int64_t rowid) {
    for (auto& [key, row] : state_.rows) {
      if (row.rowid == rowid) return &row;
    }
    return nullptr;
  }

  template <class Wanted>
  Deleted delete_where(int max_rows, Wanted wanted) {
    const Alone alone = change();
    Deleted removed;
    std::int64_t bytes = 0;
    for (auto at = state_.rows.begin(); at != state_.rows.end();) {
      const auto row = at++;
      if (!wanted(row->first, row->second)) continue;
      bytes += row->second.byte_size;
      const bool full = removed.size() == static_cast<std::size_t>(max_rows) ||
                        (!removed.empty() && bytes > kMaxBytes);
      if (full) break;
      removed.push_back(deleted_row(row->first, row->second));
      remove(row);
    }
    return removed;
  }

  FakeFile& file_;
  std::atomic<std::uint64_t>& commits_;
  std::atomic<bool> busy_{false};
  std::unique_lock<std::mutex> transaction_;  // locked during a transaction
  bool changed_ = false;
  std::int64_t last_rowid_ = 0;
  FakeFile::State state_;
  FakeFile::StatePtr last_;  // the state after the last transaction of this writer
};

}  // namespace

std::unique_ptr<store::Writer> make_fake_writer(FakeFile& file,
                                                std::atomic<std::uint64_t>& commits) {
  return std::make_unique<FakeWriter>(file, commits);
}

}  // namespace ashmemo::test
