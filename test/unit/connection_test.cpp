#include "store/connection.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cerrno>
#include <string>

#include "store/sqlite_error.hpp"
#include "support/opening.hpp"
#include "support/store_fixture.hpp"
#include "support/system_calls.hpp"

using namespace ashmemo;
using base::FailureKind;
using store::Connection;
using store::ConnectionOptions;
using store::Role;

namespace {

std::string pragma(Connection& connection, const std::string& name) {
  return connection.database().execAndGet("PRAGMA " + name).getString();
}

bool is_on(const Connection& connection, int setting) {
  int on = -1;
  REQUIRE(sqlite3_db_config(connection.handle(), setting, -1, &on) == SQLITE_OK);
  return on == 1;
}

std::unique_ptr<Connection> open(const std::string& path, const ConnectionOptions& options) {
  auto connection = Connection::open(path, options);
  INFO((connection ? std::string() : connection.failure().what));
  REQUIRE(connection);
  return std::move(*connection);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a connection sets its options independently of the defaults of the SQLite build") {
    test::StoreFixture file;
    ConnectionOptions options;
    options.cache_bytes = 2 << 20;
    options.max_value_bytes = 1 << 20;
    for (const Role role : {Role::reader, Role::writer}) {
      options.role = role;
      const auto connection = open(file.path, options);
      CHECK(pragma(*connection, "mmap_size") == "0");
      CHECK(pragma(*connection, "cache_size") == "-2048");
      CHECK(pragma(*connection, "temp_store") == "2");
      CHECK(pragma(*connection, "trusted_schema") == "0");
      CHECK(pragma(*connection, "cell_size_check") == "1");
      CHECK(pragma(*connection, "foreign_keys") == "0");
      CHECK(pragma(*connection, "wal_autocheckpoint") == "0");
      CHECK(is_on(*connection, SQLITE_DBCONFIG_DEFENSIVE));
      CHECK_FALSE(is_on(*connection, SQLITE_DBCONFIG_ENABLE_TRIGGER));
      CHECK_FALSE(is_on(*connection, SQLITE_DBCONFIG_ENABLE_VIEW));
      CHECK(is_on(*connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE) == (role == Role::reader));
      CHECK(sqlite3_db_readonly(connection->handle(), "main") == (role == Role::reader ? 1 : 0));
      const int limit = sqlite3_limit(connection->handle(), SQLITE_LIMIT_LENGTH, -1);
      CHECK(limit >= 1 << 20);
      CHECK(limit < 2 << 20);
    }
  }

  TEST_CASE("a writer connection syncs and erases securely only if its options say so") {
    test::StoreFixture file;
    ConnectionOptions options;
    options.role = Role::writer;
    const auto plain = open(file.path, options);
    CHECK(pragma(*plain, "synchronous") == "1");
    CHECK(pragma(*plain, "secure_delete") == "0");
    CHECK(pragma(*plain, "journal_size_limit") == std::to_string(store::kWalKeptBytes));
    options.synced = true;
    options.erase_securely = true;
    const auto careful = open(file.path, options);
    CHECK(pragma(*careful, "synchronous") == "2");
    CHECK(pragma(*careful, "secure_delete") == "1");
  }

  TEST_CASE("a connection never executes views or triggers of the file") {
    test::StoreFixture file;
    file.put({{"a", "1"}});
    const auto connection = open(file.path, {Role::writer, 0, false, false, 1 << 20, false});
    auto& database = connection->database();
    CHECK_THROWS_AS(database.exec("SELECT * FROM cache_overview"), SQLite::Exception);
    database.exec("DELETE FROM cache_entries");
    CHECK(file.raw().rows("SELECT entries FROM cache_totals") == "1");
    database.exec("UPDATE cache_totals SET entries = 0, bytes = 0");
    CHECK_THROWS_AS(database.exec("PRAGMA writable_schema=ON; DELETE FROM sqlite_schema"),
                    SQLite::Exception);
  }

  TEST_CASE("a connection uses a path with special characters as a plain file name") {
    test::TempDir dir;
    const std::string path = dir.path("file:a?mode=memory#%20'\" x.db");
    const auto connection = open(path, {Role::writer, 0, false, false, 1 << 20, true});
    connection->database().exec("CREATE TABLE t (a)");
    CHECK(test::exists(path));
    CHECK(store::plain_name("file:a") == "./file:a");
    CHECK(store::plain_name(":memory:") == "./:memory:");
    CHECK(store::plain_name("files/a") == "files/a");
  }

  TEST_CASE(
      "opening a connection fails with io for a missing file and with corrupt for a text file") {
    test::TempDir dir;
    const ConnectionOptions reader;
    const auto missing = Connection::open(dir.path("missing"), reader);
    REQUIRE_FALSE(missing);
    CHECK(missing.failure().kind == FailureKind::io);
    CHECK(missing.failure().what.find(dir.path("missing")) != std::string::npos);

    test::write_file(dir.path("text"), std::string(5'000, 'x'));
    const auto text = Connection::open(dir.path("text"), reader);
    REQUIRE_FALSE(text);
    CHECK(text.failure().kind == FailureKind::corrupt);
  }

  // SQLite opens FILE-shm again when it closes the connection. If it can only read it then, it
  // takes the log for empty.
  TEST_CASE("a connection that cannot be opened on a full disk keeps the log") {
    test::TempDir dir;
    test::make_cache_with_an_erase_in_the_log(dir.path("x"));
    const std::string log = test::read_file(dir.path("x-wal"));
    bool is_full = false;
    test::before_os_calls([&](const test::OsCall& call) {
      using Kind = test::OsCall::Kind;
      is_full = is_full || (call.is_by_sqlite && call.kind == Kind::resize);
      return is_full && (call.kind == Kind::resize || call.kind == Kind::create) ? ENOSPC : 0;
    });
    ConnectionOptions options;
    options.role = Role::writer;
    CHECK_FALSE(Connection::open(dir.path("x"), options));
    test::before_os_calls({});
    CHECK(is_full);
    REQUIRE(test::exists(dir.path("x-wal")));
    CHECK(test::read_file(dir.path("x-wal")) == log);
    CHECK_FALSE(test::has_key(dir.path("x"), "old"));
  }

  TEST_CASE("failure_kind maps the codes of SQLite to kinds of failure") {
    CHECK(store::failure_kind(SQLITE_BUSY_SNAPSHOT) == FailureKind::busy);
    CHECK(store::failure_kind(SQLITE_LOCKED) == FailureKind::busy);
    CHECK(store::failure_kind(SQLITE_FULL) == FailureKind::full);
    CHECK(store::failure_kind(SQLITE_IOERR_SHORT_READ) == FailureKind::io);
    CHECK(store::failure_kind(SQLITE_READONLY_DBMOVED) == FailureKind::io);
    CHECK(store::failure_kind(SQLITE_CORRUPT_INDEX) == FailureKind::corrupt);
    CHECK(store::failure_kind(SQLITE_NOTADB) == FailureKind::corrupt);
    CHECK(store::failure_kind(SQLITE_TOOBIG) == FailureKind::too_large);
    CHECK(store::failure_kind(SQLITE_NOMEM) == FailureKind::other);
    CHECK(store::is_out_of_memory({FailureKind::other, SQLITE_NOMEM, ""}));
    CHECK_FALSE(store::is_out_of_memory({FailureKind::other, SQLITE_ERROR, ""}));
    CHECK(store::failure_kind(-1) == FailureKind::other);
    const auto failed = store::guarded(nullptr, "trying", []() -> int { throw std::bad_alloc(); });
    CHECK(failed.failure().kind == FailureKind::other);
  }
}
