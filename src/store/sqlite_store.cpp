#include "store/sqlite_store.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "store/reader_pool.hpp"
#include "store/rowid_hints.hpp"
#include "store/sqlite_error.hpp"
#include "store/writer.hpp"

namespace ashmemo::store {
namespace {

// A read of more keys takes a new snapshot, because an old one prevents the WAL from starting over.
constexpr std::size_t kKeysPerSnapshot = 10'000;

class SqliteStore final : public Store {
  using Take = base::Result<ReaderPool::Lease> (ReaderPool::*)();
  enum class Doubted : std::uint8_t { all_answers, failures };

  // One reader for one call. It is replaced if the call fails. An answer that is doubted is dropped
  // if another program changed the file during the call, and `f` is called again. So is the first
  // answer that the file is damaged, because a file is quarantined for such an answer: bad memory,
  // or a copy over the file, may have damaged only what this connection has read.
  template <class F>
  auto with(Take take, Doubted doubted, F& f) -> decltype(f(std::declval<Reader&>())) {
    constexpr int kMaxTries = 10;
    bool may_be_damaged = false;
    for (int tries = 0; tries < kMaxTries; ++tries) {
      auto lease = guarded(nullptr, "opening a reader", [&] { return (readers_.*take)(); });
      if (!lease) return lease.failure();
      auto answer = f(**lease);
      const bool is_doubted = !answer || doubted == Doubted::all_answers;
      const bool is_dropped = is_doubted && !(*lease)->is_current();
      if (!answer || is_dropped) lease->discard();
      if (is_dropped) continue;
      const bool is_damaged = !answer && answer.failure().kind == base::FailureKind::corrupt;
      if (!is_damaged || may_be_damaged || writer_ == nullptr) return answer;
      may_be_damaged = true;
    }
    return base::Failure{base::FailureKind::busy, 0,
                         "another program changed the file during each of 10 reads"};
  }
  template <class F>
  auto with_reader(F&& f) {
    return with(&ReaderPool::lease, Doubted::all_answers, f);
  }
  template <class F>
  auto with_own_reader(F&& f) {
    return with(&ReaderPool::dedicated, Doubted::all_answers, f);
  }

 public:
  SqliteStore(std::unique_ptr<ClaimedFile> file, Connections connections,
              const OpenOptions& options)
      : path_(file->path()),
        file_(std::move(file)),
        hints_(options.hints ? options.hints : std::make_shared<RowidHints>(0)),
        readers_(
            path_, reader_options(options), snapshot_rule(options), ReaderPool::default_size(),
            [this] { return check_in_place(); }, hints_) {
    if (connections.reader) readers_.add(std::move(connections.reader));
    if (!connections.writer) return;
    writer_ = std::make_unique<SqliteWriter>(std::move(connections.writer), path_, readers_,
                                             commits_, hints_);
    if (!options.reserves_later) writer_->reserve_wal();
  }
  ~SqliteStore() override { close(); }

  base::Status read(std::span<const Lookup> keys, RowSink& sink) override {
    while (!keys.empty()) {
      const auto part = keys.first(std::min(keys.size(), kKeysPerSnapshot));
      keys = keys.subspan(part.size());
      const auto look_up = [&](Reader& reader) { return reader.read(part, sink); };
      // The sink has got the rows already. Their checksums prove them, and a row that was not found
      // is only a miss.
      auto status = with(&ReaderPool::lease, Doubted::failures, look_up);
      if (!status) return status;
    }
    return {};
  }
  base::Result<std::optional<StoredEntry>> entry(std::string_view key) override {
    return with_reader([&](Reader& reader) { return reader.entry(key); });
  }
  base::Result<std::vector<StoredEntry>> page(std::string_view prefix, std::string_view after,
                                              int max_rows) override {
    return with_reader([&](Reader& reader) { return reader.page(prefix, after, max_rows); });
  }
  base::Result<std::vector<CalculationRow>> calculations() override {
    return with_reader([](Reader& reader) { return reader.calculations(); });
  }
  base::Result<Totals> totals() override {
    return with_reader([](Reader& reader) { return reader.totals(); });
  }
  base::Result<std::int64_t> last_stamp() override {
    return with_reader([](Reader& reader) { return reader.last_stamp(); });
  }

  // These two take long, so they must not use one of the few shared readers.
  base::Result<std::vector<std::string>> integrity() override {
    return with_own_reader([](Reader& reader) { return reader.integrity(); });
  }
  base::Status backup(const std::string& target) override {
    bool is_again = false;
    return with_own_reader([&](Reader& reader) {
      const auto emptied = is_again ? base::empty_file(target) : base::Status();
      is_again = true;
      return emptied ? reader.backup(target) : emptied;
    });
  }

  void allow_entries_of(std::int64_t bytes) override {
    readers_.allow_values_of(bytes);
    if (writer_) writer_->allow_values_of(bytes);
  }
  void release_snapshots(std::int64_t max_age) override { readers_.release_snapshots(max_age); }
  std::uint64_t commit_counter() const noexcept override { return commits_.load(); }
  FileSizes sizes() const noexcept override { return {size_of(path_), size_of(path_ + "-wal")}; }

  bool still_in_place() const noexcept override ASHMEMO_EXCLUDES(file_mutex_) {
    const base::Lock lock(file_mutex_);
    return file_ && file_->still_in_place();
  }
  bool is_log_in_place() const noexcept override ASHMEMO_EXCLUDES(file_mutex_) {
    const base::Lock lock(file_mutex_);
    return !file_ || file_->is_log_in_place();
  }
  Writer* writer() noexcept override { return writer_.get(); }

  void close() noexcept override ASHMEMO_EXCLUDES(file_mutex_) {
    readers_.close();
    {
      const base::Lock lock(file_mutex_);
      if (file_) file_->end_use();
    }
    if (writer_) writer_->close();
    const base::Lock lock(file_mutex_);
    if (file_) file_->drop_other_log();
    file_.reset();  // last: from here on another program may open the file
  }

 private:
  base::Status check_in_place() ASHMEMO_EXCLUDES(file_mutex_) {
    const base::Lock lock(file_mutex_);
    if (!file_) return base::Failure{base::FailureKind::unavailable, 0, "the store is closed"};
    auto found = file_->check_in_place();
    if (found) file_->hold_log();
    return found;
  }

  SnapshotRule snapshot_rule(const OpenOptions& options) {
    return {&commits_, options.clock ? options.clock : system_clock(), !options.read_only};
  }

  static std::int64_t size_of(const std::string& path) noexcept {
    const auto state = base::inspect(path);
    return state ? state->bytes : 0;
  }

  const std::string path_;
  mutable base::Mutex file_mutex_ ASHMEMO_LOCK_LEVEL(3);
  std::unique_ptr<ClaimedFile> file_ ASHMEMO_GUARDED_BY(file_mutex_);

  const std::shared_ptr<RowidHints> hints_;
  std::atomic<std::uint64_t> commits_{0};
  ReaderPool readers_;
  std::unique_ptr<SqliteWriter> writer_;
};

}  // namespace

ConnectionOptions reader_options(const OpenOptions& options) {
  ConnectionOptions reader;
  reader.role = Role::reader;
  reader.exclusive = options.exclusive;
  reader.keeps_shm = options.keeps_shm;
  reader.cache_bytes = options.reader_cache_bytes;
  reader.max_value_bytes = options.max_entry_bytes;
  reader.immutable = options.read_only;
  return reader;
}

std::unique_ptr<Store> make_sqlite_store(std::unique_ptr<ClaimedFile> file, Connections connections,
                                         const OpenOptions& options) {
  return std::make_unique<SqliteStore>(std::move(file), std::move(connections), options);
}

}  // namespace ashmemo::store
