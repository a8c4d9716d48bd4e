#include "support/fake_store.hpp"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

namespace ashmemo::test {

namespace {

using base::Result;
using base::Status;

class FakeStore final : public store::Store {
 public:
  explicit FakeStore(std::shared_ptr<FakeFile> file)
      : file_(std::move(file)),
        writer_(file_->only_read ? nullptr : make_fake_writer(*file_, commits_)) {
    ++file_->open_stores;
  }
  ~FakeStore() override { close(); }

  Status read(std::span<const store::Lookup> keys, store::RowSink& sink) override {
    if (closed_) return gone();
    const FakeFile::StatePtr state = file_->state();
    for (const store::Lookup& lookup : keys) {
      const auto found = state->rows.find(lookup.key);
      if (found == state->rows.end()) continue;
      if (found->second.is_damaged) {
        sink.damaged(lookup.index, found->second.rowid);
      } else {
        sink.row(lookup.index, view_of(found->second));
      }
    }
    return {};
  }

  Result<std::optional<store::StoredEntry>> entry(std::string_view key) override {
    if (closed_) return gone();
    const FakeFile::StatePtr state = file_->state();
    const auto found = state->rows.find(key);
    if (found == state->rows.end()) return std::optional<store::StoredEntry>();
    return std::optional(entry_of(found->first, found->second));
  }

  Result<std::vector<store::StoredEntry>> page(std::string_view prefix, std::string_view after,
                                               int max_rows) override {
    if (closed_) return gone();
    std::vector<store::StoredEntry> out;
    for (const auto& [key, row] : file_->state()->rows) {
      if (out.size() == static_cast<std::size_t>(max_rows)) break;
      if (key.starts_with(prefix) && key > after) out.push_back(entry_of(key, row));
    }
    return out;
  }

  Result<std::vector<store::CalculationRow>> calculations() override {
    if (closed_) return gone();
    std::vector<store::CalculationRow> out;
    for (const auto& [id, row] : file_->state()->calculations) out.push_back(row);
    return out;
  }

  Result<store::Totals> totals() override {
    if (closed_) return gone();
    return file_->state()->totals;
  }
  Result<std::int64_t> last_stamp() override {
    if (closed_) return gone();
    return file_->state()->last_stamp;
  }
  Result<std::vector<std::string>> integrity() override { return std::vector<std::string>(); }
  Status backup(const std::string&) override { return {}; }
  void allow_entries_of(std::int64_t bytes) override { file_->allowed = bytes; }
  void release_snapshots(std::int64_t) override {}
  std::uint64_t commit_counter() const noexcept override { return commits_; }
  store::FileSizes sizes() const noexcept override {
    return {file_->file_bytes, file_->wal_file_bytes};
  }
  bool still_in_place() const noexcept override { return file_->in_place && file_->log_in_place; }
  bool is_log_in_place() const noexcept override { return file_->log_in_place; }
  store::Writer* writer() noexcept override { return writer_.get(); }
  void close() noexcept override {
    if (closed_.exchange(true)) return;
    if (file_->at_close) file_->at_close();
    --file_->open_stores;
  }

 private:
  static base::Failure gone() { return {base::FailureKind::unavailable, 0, "the store is closed"}; }

  static store::EntryView view_of(const FakeRow& row) {
    return {row.rowid,          row.deadlines, row.calculation_id,
            row.record_version, row.cost_us,   row.value};
  }

  static store::StoredEntry entry_of(const std::string& key, const FakeRow& row) {
    store::StoredEntry entry(key, view_of(row));
    entry.is_damaged = row.is_damaged;
    entry.info.byte_size = row.byte_size;
    entry.info.inserted_at = row.inserted_at;
    entry.info.accessed_at = row.accessed_at;
    entry.info.access_count = row.access_count;
    return entry;
  }

  const std::shared_ptr<FakeFile> file_;
  std::atomic<std::uint64_t> commits_{0};
  std::atomic<bool> closed_{false};
  const std::unique_ptr<store::Writer> writer_;
};

}  // namespace

void FakeFile::State::count(const FakeRow& row, std::int64_t sign) {
  totals.entries += sign;
  totals.bytes += sign * row.byte_size;
  if (row.eviction_queue != 1) return;
  totals.probation_entries += sign;
  totals.probation_bytes += sign * row.byte_size;
}

FakeFile::StatePtr FakeFile::state() const {
  base::Lock lock(mutex_);
  return state_;
}

void FakeFile::set_state(StatePtr state) {
  base::Lock lock(mutex_);
  state_ = std::move(state);
}

std::vector<std::string> FakeFile::keys() const {
  std::vector<std::string> out;
  for (const auto& [key, row] : state()->rows) out.push_back(key);
  return out;
}

FakeRow FakeFile::row(std::string_view key) const {
  const StatePtr now = state();
  const auto found = now->rows.find(key);
  if (found != now->rows.end()) return found->second;
  std::fprintf(stderr, "there is no row %s\n", std::string(key).c_str());
  std::abort();
}

std::int64_t FakeFile::plant(std::string_view key, FakeRow row) {
  change([&](State& state) {
    row.rowid = state.next_rowid++;
    state.count(row, 1);
    if (row.inserted_at > state.last_stamp) state.last_stamp = row.inserted_at;
    state.rows[std::string(key)] = row;
  });
  return row.rowid;
}

store::Totals FakeFile::counted() const {
  State sums;
  for (const auto& [key, row] : state()->rows) sums.count(row, 1);
  return sums.totals;
}

std::unique_ptr<store::Store> open_fake_store(std::shared_ptr<FakeFile> file) {
  return std::make_unique<FakeStore>(std::move(file));
}

}  // namespace ashmemo::test
