// What opening a file and the first read cost: connections, statements, and calls to the system.

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "store/connection.hpp"
#include "support/statement_counter.hpp"
#include "support/store_fixture.hpp"
#include "support/system_calls.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using base::FailureKind;

namespace {

/// A closed file with one entry.
struct ClosedFile : StoreFixture {
  ClosedFile() {
    put({{"key", "1"}});
    close();
  }
};

/// Counts what SQLite does with a closed file, from now on.
class FileCalls {
 public:
  explicit FileCalls(const std::string& path) : path_(path) {
    constexpr std::size_t kPage = 4096;  // page 1 is read for other reasons, too
    const std::size_t schema = read_file(path).find("CREATE TABLE cache_totals", kPage);
    REQUIRE(schema != std::string::npos);
    schema_page_at_ = static_cast<std::int64_t>(schema / kPage * kPage);
    before_os_calls([this](const OsCall& call) { return before(call); });
  }
  ~FileCalls() { before_os_calls({}); }
  FileCalls(const FileCalls&) = delete;
  FileCalls& operator=(const FileCalls&) = delete;

  /// The opening with this number fails (0: the next).
  void fail_opening(int nth) { failing_ = openings_ + nth; }
  [[nodiscard]] int take_openings() { return std::exchange(openings_, 0); }
  /// How often SQLite has read a page of the schema from the file. Each connection does it once.
  [[nodiscard]] int take_schema_reads() { return std::exchange(schema_reads_, 0); }

 private:
  int before(const OsCall& call) {
    if (!call.is_by_sqlite) return 0;
    if (call.kind == OsCall::Kind::read && call.at == schema_page_at_) ++schema_reads_;
    const bool opens = call.kind == OsCall::Kind::open || call.kind == OsCall::Kind::create;
    if (!opens || call.path == nullptr || call.path != path_) return 0;
    return openings_++ == failing_ ? EMFILE : 0;
  }

  const std::string path_;
  std::int64_t schema_page_at_ = 0;
  int openings_ = 0;
  int schema_reads_ = 0;
  int failing_ = -1;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("opening and the first read read the schema once, and the first write once more") {
    ClosedFile file;
    FileCalls calls(file.path);
    file.reopen();
    CHECK(calls.take_schema_reads() == 1);
    CHECK(file.store().totals().value().entries == 1);
    CHECK(read_value(file.store(), "key") == Value::text("1"));
    CHECK(calls.take_schema_reads() == 0);
    file.put({{"key", "2"}});
    CHECK(calls.take_schema_reads() == 1);
    file.put({{"key", "3"}});
    CHECK(read_value(file.store(), "key") == Value::text("3"));
    CHECK(calls.take_schema_reads() == 0);
    file.close();
  }

  TEST_CASE("a read of a key that was never stored runs one statement") {
    ClosedFile file;
    StatementCounter statements;
    file.reopen();
    CHECK_FALSE(read_value(file.store(), "absent"));
    (void)statements.take();
    CHECK_FALSE(read_value(file.store(), "absent"));
    const auto run = statements.take();
    CHECK(run.size() == 1);
    CHECK(count_of("k.cache_key = ?1", run) == 1);
  }

  TEST_CASE("opening opens the file for its header, a writer and a reader") {
    ClosedFile file;
    FileCalls calls(file.path);
    file.reopen();
    CHECK(calls.take_openings() == 3);
    CHECK(read_value(file.store(), "key") == Value::text("1"));
    file.put({{"key", "2"}});
    CHECK(calls.take_openings() == 0);
    file.close();
  }

  TEST_CASE("a file opens without a reader if that cannot be opened") {
    ClosedFile file;
    FileCalls calls(file.path);
    calls.fail_opening(2);
    file.reopen();
    CHECK(calls.take_openings() == 3);
    CHECK(read_value(file.store(), "key") == Value::text("1"));
    CHECK(calls.take_openings() == 1);
    file.put({{"key", "2"}});
    CHECK(read_value(file.store(), "key") == Value::text("2"));
    file.close();
  }

  TEST_CASE("a writer that cannot read the schema at its first use reads it later") {
    ClosedFile file;
    bool fails = false;
    before_os_calls([&](const OsCall& call) {
      return fails && call.is_by_sqlite && call.kind == OsCall::Kind::read ? EIO : 0;
    });
    file.reopen();
    fails = true;
    for (int i = 0; i < 2; ++i) {
      CHECK(file.writer().begin().failure().kind == FailureKind::io);
      CHECK(file.writer().look().failure().kind == FailureKind::io);
    }
    fails = false;
    file.put({{"key", "2"}});
    CHECK(read_value(file.store(), "key") == Value::text("2"));
    file.close();
    before_os_calls({});
  }

  TEST_CASE("a writer that was never used removes the log when it is closed") {
    ClosedFile file;
    file.reopen();
    CHECK(read_value(file.store(), "key") == Value::text("1"));
    CHECK(exists(file.path + "-wal"));
    file.close();
    CHECK_FALSE(exists(file.path + "-wal"));
  }

  TEST_CASE("the first use of a writer finds a schema that was changed after the opening") {
    ClosedFile file;
    file.reopen();
    file.raw().run(
        "CREATE TRIGGER t AFTER INSERT ON cache_entries BEGIN DELETE FROM cache_totals; END");
    CHECK(file.writer().begin().failure().kind == FailureKind::corrupt);
  }

  TEST_CASE("opening reserves space in the log, or leaves that to the first use of the writer") {
    ClosedFile file;
    file.reopen();
    CHECK(file.store().sizes().wal_bytes == store::kWalLeastBytes);
    file.close();
    file.options.reserves_later = true;
    file.reopen();
    CHECK(read_value(file.store(), "key") == Value::text("1"));
    CHECK(file.store().sizes().wal_bytes == 0);
    REQUIRE(file.writer().look());
    CHECK(file.store().sizes().wal_bytes == store::kWalLeastBytes);
  }

  TEST_CASE("a file that is not in WAL mode is switched when it is opened") {
    ClosedFile file;
    CHECK(file.raw().rows("PRAGMA journal_mode=DELETE") == "delete");
    file.reopen();
    CHECK(file.raw().rows("PRAGMA journal_mode") == "wal");
    CHECK(read_value(file.store(), "key") == Value::text("1"));
    file.put({{"key", "2"}});
  }
}
