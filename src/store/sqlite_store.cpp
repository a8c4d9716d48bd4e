#include "store/sqlite_store.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/mutex.hpp"
#include "base/platform.hpp"
#include "store/reader_pool.hpp"
#include "store/sqlite_error.hpp"
#include "store/writer.hpp"

namespace ashmemo::store {
namespace {

// A read of more keys takes a new snapshot, because an old one prevents the WAL from starting over.
constexpr std::size_t kKeysPerSnapshot = 10'000;

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

class SqliteStore final : public Store {
  // One reader for one call. It is closed if the call fails.
  template <class F>
  static auto with(base::Result<ReaderPool::Lease> lease, F& f) -> decltype(f(**lease)) {
    if (!lease) return lease.failure();
    auto answer = f(**lease);
    if (!answer) lease->discard();
    return answer;
  }
  template <class F>
  auto with_reader(F&& f) {
    return with(guarded(nullptr, "opening a reader", [this] { return readers_.lease(); }), f);
  }
  template <class F>
  auto with_own_reader(F&& f) {
    return with(guarded(nullptr, "opening a reader", [this] { return readers_.dedicated(); }), f);
  }

 public:
  SqliteStore(std::unique_ptr<ClaimedFile> file, std::unique_ptr<Connection> writer,
              const OpenOptions& options)
      : path_(file->path()),
        file_(std::move(file)),
        readers_(path_, reader_options(options), snapshot_rule(options), ReaderPool::default_size(),
                 [this] { return check_in_place(); }) {
    if (!writer) return;
    writer_ = std::make_unique<SqliteWriter>(std::move(writer), path_, readers_, commits_);
  }
  ~SqliteStore() override { close(); }

  base::Status read(std::span<const Lookup> keys, RowSink& sink) override {
    while (!keys.empty()) {
      const auto part = keys.first(std::min(keys.size(), kKeysPerSnapshot));
      keys = keys.subspan(part.size());
      auto status = with_reader([&](Reader& reader) { return reader.read(part, sink); });
      if (!status) return status;
    }
    return {};
  }
  base::Result<std::optional<StoredEntry>> entry(std::string_view key) override {
    return with_reader([&](Reader& reader) { return reader.entry(key); });
  }
  base::Result<std::vector<StoredEntry>> page(std::string_view prefix, std::string_view after,
                                              int most) override {
    return with_reader([&](Reader& reader) { return reader.page(prefix, after, most); });
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
    return with_own_reader([&](Reader& reader) { return reader.backup(target); });
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
  base::Status check_in_place() const ASHMEMO_EXCLUDES(file_mutex_) {
    const base::Lock lock(file_mutex_);
    if (file_) return file_->check_in_place();
    return base::Failure{base::FailureKind::unavailable, 0, "the store is closed"};
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

  std::atomic<std::uint64_t> commits_{0};
  ReaderPool readers_;
  std::unique_ptr<SqliteWriter> writer_;
};

}  // namespace

std::unique_ptr<Store> make_sqlite_store(std::unique_ptr<ClaimedFile> file,
                                         std::unique_ptr<Connection> writer,
                                         const OpenOptions& options) {
  return std::make_unique<SqliteStore>(std::move(file), std::move(writer), options);
}

}  // namespace ashmemo::store
