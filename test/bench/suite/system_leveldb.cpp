#include "bench/suite/system.hpp"

#ifdef ASHMEMO_BENCH_LEVELDB
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/write_batch.h>
#endif

namespace ashmemo::bench {

#ifdef ASHMEMO_BENCH_LEVELDB
namespace {

constexpr std::size_t kBlockCacheBytes = 8 << 20;

void check(const leveldb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

leveldb::Slice slice_of(std::string_view text) { return {text.data(), text.size()}; }

class LeveldbReader final : public Reader {
 public:
  explicit LeveldbReader(leveldb::DB& database) : database_(database) {}

  std::optional<std::string> get(std::string_view key) override {
    const leveldb::Status status = database_.Get({}, slice_of(key), &stored_);
    if (status.IsNotFound()) return std::nullopt;
    check(status);
    return value_if_live(stored_, wall_now());
  }

 private:
  leveldb::DB& database_;
  std::string stored_;
};

class LeveldbSystem final : public System {
 public:
  LeveldbSystem(const std::string& directory, const Setup& setup)
      : block_cache_(leveldb::NewLRUCache(kBlockCacheBytes)) {
    how_to_write_.sync = setup.survives == Survives::power_cut;
    leveldb::Options options;
    options.create_if_missing = true;
    options.block_cache = block_cache_.get();
    leveldb::DB* opened = nullptr;
    check(leveldb::DB::Open(options, directory, &opened));
    database_.reset(opened);
  }

  std::unique_ptr<Reader> reader() override { return std::make_unique<LeveldbReader>(*database_); }
  void put(const std::string& key, const std::string& value) override {
    thread_local std::string stored;
    stored.clear();
    append_with_expiry(stored, value, expiry_from_now());
    check(database_->Put(how_to_write_, key, stored));
  }
  void put_many(std::span<const Pair> pairs) override {
    leveldb::WriteBatch batch;
    std::string stored;
    for (const auto& [key, value] : pairs) {
      stored.clear();
      append_with_expiry(stored, value, expiry_from_now());
      batch.Put(key, stored);
    }
    check(database_->Write(how_to_write_, &batch));
  }
  std::int64_t count() override {
    throw std::logic_error("LevelDB does not report the number of its entries");
  }

 private:
  const std::unique_ptr<leveldb::Cache> block_cache_;  // outlives the database
  std::unique_ptr<leveldb::DB> database_;
  leveldb::WriteOptions how_to_write_;
};

std::unique_ptr<System> open(const std::string& directory, const Setup& setup) {
  return std::make_unique<LeveldbSystem>(directory, setup);
}

}  // namespace
#else
constexpr std::unique_ptr<System> (*open)(const std::string&, const Setup&) = nullptr;
#endif

const SystemType kLeveldb{
    "leveldb",
    open,
    false,
    false,
    Survives::process_crash,
    Survives::power_cut,
    "defaults (compressed; not synced, except \"synced\"), block cache of 8 MiB; put_many in a\n"
    "WriteBatch of 1,000"};

}  // namespace ashmemo::bench
