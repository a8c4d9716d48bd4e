#include "support/faulty_store.hpp"

#include <sqlite3.h>

#include <string>
#include <utility>

namespace ashmemo::test {

namespace {

using base::Result;
using base::Status;

class FaultyWriter final : public store::Writer {
 public:
  FaultyWriter(store::Writer& inner, Faults& faults) : inner_(inner), faults_(faults) {}

  Result<Begun> look() override { return inner_.look(); }
  Result<Begun> begin() override {
    if (auto failure = faults_.next(Call::begin)) return std::move(*failure);
    return inner_.begin();
  }
  Status commit(bool synced) override {
    return change(Call::commit, [&] { return inner_.commit(synced); });
  }
  void rollback() noexcept override { inner_.rollback(); }

  Result<std::optional<store::DeletedRow>> put(const store::PutRow& row) override {
    return change(Call::put, [&] { return inner_.put(row); });
  }
  Status find_rowids(std::span<store::RowidOf> keys) override {
    if (auto failure = faults_.next(Call::find_rowids)) return std::move(*failure);
    return inner_.find_rowids(keys);
  }
  std::int64_t last_rowid() const noexcept override { return inner_.last_rowid(); }
  Result<std::optional<store::DeletedRow>> delete_key(std::string_view key) override {
    return change(Call::delete_key, [&] { return inner_.delete_key(key); });
  }
  Result<std::optional<std::int64_t>> touch(const store::TouchRow& touch) override {
    return change(Call::touch, [&] { return inner_.touch(touch); });
  }
  Status delete_row(const store::Candidate& row) override {
    return change(Call::delete_row, [&] { return inner_.delete_row(row); });
  }
  Result<std::optional<store::DeletedRow>> delete_damaged(std::int64_t rowid) override {
    return change(Call::delete_damaged, [&] { return inner_.delete_damaged(rowid); });
  }
  Result<bool> reinsert(std::int64_t rowid, const store::Placement& to) override {
    return change(Call::reinsert, [&] { return inner_.reinsert(rowid, to); });
  }
  Result<Deleted> delete_prefix(std::string_view prefix, int max_rows) override {
    return change(Call::delete_prefix, [&] { return inner_.delete_prefix(prefix, max_rows); });
  }
  Result<Due> delete_future(std::int64_t now, std::int64_t* stamp, int max_rows) override {
    return change(Call::delete_due, [&] { return inner_.delete_future(now, stamp, max_rows); });
  }
  Result<Due> delete_due(std::int64_t now, int max_rows) override {
    return change(Call::delete_due, [&] { return inner_.delete_due(now, max_rows); });
  }
  Result<Deleted> delete_retired(std::optional<std::int64_t>* rowid, int max_rows) override {
    return change(Call::delete_retired, [&] { return inner_.delete_retired(rowid, max_rows); });
  }
  Result<std::int64_t> delete_everything() override {
    return change(Call::delete_everything, [&] { return inner_.delete_everything(); });
  }
  Result<std::vector<store::Candidate>> oldest(std::int64_t queue, int max_rows) override {
    return change(Call::oldest, [&] { return inner_.oldest(queue, max_rows); });
  }
  Status put_calculation(const store::CalculationRow& row) override {
    return change(Call::put_calculation, [&] { return inner_.put_calculation(row); });
  }
  Status add_counters(const store::CalculationRow& deltas) override {
    return change(Call::add_counters, [&] { return inner_.add_counters(deltas); });
  }
  Status delete_calculations(std::span<const std::int64_t> ids) override {
    return change(Call::delete_calculations, [&] { return inner_.delete_calculations(ids); });
  }
  store::Totals totals() const noexcept override { return inner_.totals(); }
  Result<store::Totals> recount() override {
    return change(Call::recount, [&] { return inner_.recount(); });
  }

  Result<Checkpoint> checkpoint(bool truncate) override {
    if (auto failure = faults_.next(Call::checkpoint)) return std::move(*failure);
    return inner_.checkpoint(truncate);
  }
  Result<std::int64_t> vacuum(int pages) override {
    if (auto failure = faults_.next(Call::vacuum)) return std::move(*failure);
    return inner_.vacuum(pages);
  }
  Result<std::int64_t> bytes_when_moved() override { return inner_.bytes_when_moved(); }
  std::int64_t wal_bytes() const noexcept override { return inner_.wal_bytes(); }

 private:
  template <class F>
  auto change(Call call, F f) -> decltype(f()) {
    if (auto failure = faults_.next(call)) {
      inner_.rollback();
      return std::move(*failure);
    }
    return f();
  }

  store::Writer& inner_;
  Faults& faults_;
};

class FaultyStore final : public store::Store {
 public:
  FaultyStore(std::unique_ptr<store::Store> inner, std::shared_ptr<Faults> faults)
      : inner_(std::move(inner)), faults_(std::move(faults)) {
    if (inner_->writer() != nullptr) writer_.emplace(*inner_->writer(), *faults_);
  }

  Status read(std::span<const store::Lookup> keys, store::RowSink& sink) override {
    return call(Call::read, [&] { return inner_->read(keys, sink); });
  }
  Result<std::optional<store::StoredEntry>> entry(std::string_view key) override {
    return call(Call::entry, [&] { return inner_->entry(key); });
  }
  Result<std::vector<store::StoredEntry>> page(std::string_view prefix, std::string_view after,
                                               int max_rows) override {
    return call(Call::page, [&] { return inner_->page(prefix, after, max_rows); });
  }
  Result<std::vector<store::CalculationRow>> calculations() override {
    return call(Call::calculations, [&] { return inner_->calculations(); });
  }
  Result<store::Totals> totals() override {
    return call(Call::totals, [&] { return inner_->totals(); });
  }
  Result<std::int64_t> last_stamp() override {
    return call(Call::last_stamp, [&] { return inner_->last_stamp(); });
  }
  Result<std::vector<std::string>> integrity() override {
    return call(Call::integrity, [&] { return inner_->integrity(); });
  }
  Status backup(const std::string& target) override {
    return call(Call::backup, [&] { return inner_->backup(target); });
  }
  void allow_entries_of(std::int64_t bytes) override { inner_->allow_entries_of(bytes); }
  void release_snapshots(std::int64_t max_age) override { inner_->release_snapshots(max_age); }
  std::uint64_t commit_counter() const noexcept override { return inner_->commit_counter(); }
  store::FileSizes sizes() const noexcept override { return inner_->sizes(); }
  bool still_in_place() const noexcept override { return inner_->still_in_place(); }
  bool is_log_in_place() const noexcept override { return inner_->is_log_in_place(); }
  store::Writer* writer() noexcept override { return writer_ ? &*writer_ : nullptr; }
  void close() noexcept override { inner_->close(); }

 private:
  template <class F>
  auto call(Call which, F f) -> decltype(f()) {
    if (auto failure = faults_->next(which)) return std::move(*failure);
    return f();
  }

  const std::unique_ptr<store::Store> inner_;
  const std::shared_ptr<Faults> faults_;
  std::optional<FaultyWriter> writer_;
};

}  // namespace

void Faults::fail(Call call, base::FailureKind kind, int nth, int times) {
  base::Lock lock(mutex_);
  Plan& plan = plan_locked(call);
  plan.kind = kind;
  plan.sqlite_code = 0;
  plan.first = plan.calls + nth;
  plan.end = plan.first + times;
}

void Faults::fail_reading_always(Call call) {
  fail_always(call, base::FailureKind::io);
  base::Lock lock(mutex_);
  plan_locked(call).sqlite_code = SQLITE_IOERR_READ;
}

void Faults::heal() {
  base::Lock lock(mutex_);
  for (Plan& plan : plans_) {
    plan.first = plan.end = 0;
    plan.before = nullptr;
  }
}

void Faults::before(Call call, std::function<void()> act) {
  base::Lock lock(mutex_);
  plan_locked(call).before = std::move(act);
}

int Faults::calls(Call call) const {
  base::Lock lock(mutex_);
  return plans_[static_cast<std::size_t>(call)].calls;
}

std::optional<base::Failure> Faults::next(Call call) {
  std::function<void()> act;
  std::optional<base::Failure> failure;
  {
    base::Lock lock(mutex_);
    Plan& plan = plan_locked(call);
    ++plan.calls;
    act = plan.before;
    if (plan.calls >= plan.first && plan.calls < plan.end) {
      failure = base::Failure{plan.kind, plan.sqlite_code, "told to fail"};
    }
  }
  if (act) act();
  return failure;
}

std::unique_ptr<store::Store> make_faulty(std::unique_ptr<store::Store> inner,
                                          std::shared_ptr<Faults> faults) {
  return std::make_unique<FaultyStore>(std::move(inner), std::move(faults));
}

}  // namespace ashmemo::test
