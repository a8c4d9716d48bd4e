#include "bench/suite/system.hpp"

#ifdef ASHMEMO_BENCH_LMDB
#include <lmdb.h>
#endif

namespace ashmemo::bench {

#ifdef ASHMEMO_BENCH_LMDB
namespace {

constexpr std::size_t kMapBytes = std::size_t{1} << 34;  // address space, not memory
constexpr unsigned kMaxReaders = 64;

void check(int rc) {
  if (rc != MDB_SUCCESS) throw std::runtime_error(mdb_strerror(rc));
}

MDB_val view_of(std::string_view text) {
  return {text.size(), const_cast<char*>(text.data())};  // LMDB does not write to it
}

struct EndTransaction {
  void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
};
using Transaction = std::unique_ptr<MDB_txn, EndTransaction>;

Transaction begin(MDB_env* environment, unsigned flags) {
  MDB_txn* transaction = nullptr;
  check(mdb_txn_begin(environment, nullptr, flags, &transaction));
  return Transaction(transaction);
}

/// One transaction object, which each call renews and resets. A reader that does not reset it would
/// prevent LMDB from reusing old pages.
class LmdbReader final : public Reader {
 public:
  LmdbReader(MDB_env* environment, MDB_dbi table)
      : table_(table), transaction_(begin(environment, MDB_RDONLY)) {
    mdb_txn_reset(transaction_.get());
  }

  std::optional<std::string> get(std::string_view key) override {
    const Renewed renewed(transaction_.get());
    return look_up(key, wall_now());
  }
  Values get_many(std::span<const std::string_view> keys) override {
    const Renewed renewed(transaction_.get());
    Values values;
    values.reserve(keys.size());
    const std::int64_t now = wall_now();
    for (const std::string_view key : keys) values.push_back(look_up(key, now));
    return values;
  }

 private:
  struct Renewed {
    explicit Renewed(MDB_txn* transaction) : transaction_(transaction) {
      check(mdb_txn_renew(transaction));
    }
    ~Renewed() { mdb_txn_reset(transaction_); }
    Renewed(const Renewed&) = delete;
    Renewed& operator=(const Renewed&) = delete;

   private:
    MDB_txn* transaction_;
  };

  std::optional<std::string> look_up(std::string_view key, std::int64_t now) {
    MDB_val name = view_of(key);
    MDB_val found{};
    const int rc = mdb_get(transaction_.get(), table_, &name, &found);
    if (rc == MDB_NOTFOUND) return std::nullopt;
    check(rc);
    return value_if_live({static_cast<const char*>(found.mv_data), found.mv_size}, now);
  }

  MDB_dbi table_;
  Transaction transaction_;
};

class LmdbSystem final : public System {
 public:
  LmdbSystem(const std::string& directory, const Setup& setup) {
    MDB_env* made = nullptr;
    check(mdb_env_create(&made));
    environment_.reset(made);
    check(mdb_env_set_mapsize(made, kMapBytes));
    check(mdb_env_set_maxreaders(made, kMaxReaders));
    const unsigned no_sync = setup.survives == Survives::power_cut ? 0U : MDB_NOSYNC;
    check(mdb_env_open(made, directory.c_str(), no_sync | MDB_NOTLS, 0600));
    Transaction transaction = begin(made, 0);
    check(mdb_dbi_open(transaction.get(), nullptr, 0, &table_));
    check(mdb_txn_commit(transaction.release()));
  }

  std::unique_ptr<Reader> reader() override {
    return std::make_unique<LmdbReader>(environment_.get(), table_);
  }
  void put(const std::string& key, const std::string& value) override {
    const Pair one(key, value);
    put_many(std::span(&one, 1));
  }
  void put_many(std::span<const Pair> pairs) override {
    Transaction transaction = begin(environment_.get(), 0);
    std::string stored;
    for (const auto& [key, value] : pairs) {
      stored.clear();
      append_with_expiry(stored, value, expiry_from_now());
      MDB_val name = view_of(key);
      MDB_val data = view_of(stored);
      check(mdb_put(transaction.get(), table_, &name, &data, 0));
    }
    check(mdb_txn_commit(transaction.release()));
  }
  std::int64_t count() override {
    const Transaction transaction = begin(environment_.get(), MDB_RDONLY);
    MDB_stat stat{};
    check(mdb_stat(transaction.get(), table_, &stat));
    return static_cast<std::int64_t>(stat.ms_entries);
  }

 private:
  struct CloseEnvironment {
    void operator()(MDB_env* environment) const { mdb_env_close(environment); }
  };
  std::unique_ptr<MDB_env, CloseEnvironment> environment_;
  MDB_dbi table_ = 0;
};

std::unique_ptr<System> open(const std::string& directory, const Setup& setup) {
  return std::make_unique<LmdbSystem>(directory, setup);
}

}  // namespace
#else
constexpr std::unique_ptr<System> (*open)(const std::string&, const Setup&) = nullptr;
#endif

const SystemType kLmdb{
    "lmdb",
    open,
    false,
    false,
    Survives::process_crash,
    Survives::power_cut,
    "MDB_NOSYNC (never waits for the disk, but SQLite does at each checkpoint), except\n"
    "\"synced\"; one transaction per put, one per 1,000 entries of put_many; a read renews and\n"
    "resets one read transaction"};

}  // namespace ashmemo::bench
