#include "store/file_id.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "store/connection.hpp"
#include "store/header.hpp"
#include "store/store.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

using namespace ashmemo::store;
using namespace ashmemo::test;

namespace {

constexpr std::size_t kFrame = 24 + 4096;

void append_number(std::string& bytes, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xFF);
}

std::uint32_t number_at(const std::string& bytes, std::size_t at, bool is_big_endian) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[at + (is_big_endian ? i : 3 - i)]);
    number = number << 8 | byte;
  }
  return number;
}

/// A log in the documented format that contains the pages (number, id).
class MadeLog {
 public:
  explicit MadeLog(bool is_big_endian) : is_big_endian_(is_big_endian) {
    for (const std::uint32_t number :
         {0x377F'0682U + (is_big_endian ? 1U : 0U), 3'007'000U, 4096U, 0U, 7U, 9U}) {
      append_number(bytes, number);
    }
    append_sum(bytes);
  }
  void add(std::uint32_t page_number, FileId id) {
    std::string frame;
    append_number(frame, page_number);
    append_number(frame, 10);  // a commit
    std::string page(4096, 'p');
    std::string number;
    append_number(number, id);
    page.replace(48, 4, number);
    const std::string checked = frame + page;
    append_number(frame, 7);
    append_number(frame, 9);
    sum(checked);
    append_number(frame, first_);
    append_number(frame, second_);
    bytes += frame + page;
  }

  std::string bytes;

 private:
  void sum(const std::string& of) {
    for (std::size_t at = 0; at < of.size(); at += 8) {
      first_ += number_at(of, at, is_big_endian_) + second_;
      second_ += number_at(of, at + 4, is_big_endian_) + first_;
    }
  }
  void append_sum(std::string& to) {
    sum(to);
    append_number(to, first_);
    append_number(to, second_);
  }

  const bool is_big_endian_;
  std::uint32_t first_ = 0;
  std::uint32_t second_ = 0;
};

bool is_of_another(const TempDir& dir, const std::string& log, FileId id) {
  write_file(dir.path("log"), log);
  const auto answer = is_log_of_another_file(dir.path("log"), id);
  REQUIRE(answer);
  return *answer;
}

std::unique_ptr<Connection> writer_of(const std::string& path) {
  ConnectionOptions options;
  options.role = Role::writer;
  options.cache_bytes = 512 * 1024;
  auto connection = Connection::open(path, options);
  REQUIRE(connection);
  return std::move(*connection);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("new file ids are random, and the last byte of each is 0") {
    std::set<FileId> ids;
    for (int i = 0; i < 100; ++i) {
      const FileId id = new_file_id();
      CHECK(id != kNoFileId);
      CHECK(id % 256 == 0);
      CHECK(id <= 0x7FFF'FFFF);
      ids.insert(id);
    }
    CHECK(ids.size() > 95);
  }

  TEST_CASE("the next file id is neither a first id nor zero") {
    CHECK(next_file_id(256) == 257);
    CHECK(next_file_id(511) == 513);
    CHECK(next_file_id(0x7FFF'FFFE) == 0x7FFF'FFFF);
    CHECK(next_file_id(0x7FFF'FFFF) == 1);
    CHECK(next_file_id(0x8000'0000) == 1);
  }

  TEST_CASE("a log belongs to the file with its id or with the id before") {
    CHECK(belong_together(257, 257));
    CHECK(belong_together(257, 256));
    CHECK_FALSE(belong_together(256, 257));
    CHECK_FALSE(belong_together(258, 256));
    CHECK(belong_together(513, 511));
    CHECK(belong_together(1, 0x7FFF'FFFF));
  }

  TEST_CASE("a log belongs to a file without an id if it has no id or a first id") {
    CHECK(belong_together(kNoFileId, kNoFileId));
    CHECK(belong_together(512, kNoFileId));
    CHECK_FALSE(belong_together(513, kNoFileId));
    CHECK_FALSE(belong_together(kNoFileId, 512));
  }

  TEST_CASE("a new file has an id in its header, and VACUUM keeps it") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    const FileId id = read_header(path)->file_id;
    CHECK(id == next_file_id(id - 1));  // the first log has raised it
    CHECK((id - 1) % 256 == 0);
    shell(path, "VACUUM");
    CHECK(read_header(path)->file_id == id);
  }

  TEST_CASE("a connection reads the same id as the header contains") {
    const TempDir dir;
    const std::string path = dir.path("x");
    for (const char* const number : {"0", "1", "256", "2147483647"}) {
      make_cache(path);
      shell(path, std::string("PRAGMA default_cache_size=") + number);
      SQLite::Database database(path);
      CHECK(std::to_string(read_file_id(database)) == number);
      CHECK(std::to_string(read_header(path)->file_id) == number);
    }
    // Only damage or an attack writes a negative number there. SQLite reports its absolute value.
    for (const std::string& bytes :
         {std::string("\xFF\xFF\xFF\xFE", 4), std::string("\x80\0\0\0", 4)}) {
      std::string content = read_file(path);
      content.replace(48, 4, bytes);
      write_file(path, content);
      SQLite::Database database(path);
      CHECK(read_file_id(database) == read_header(path)->file_id);
    }
  }

  TEST_CASE("writing an id keeps the cache size of the connection") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const auto connection = writer_of(dir.path("x"));
    SQLite::Database& database = connection->database();
    write_file_id(database, 12345);
    CHECK(read_file_id(database) == 12345);
    CHECK(database.execAndGet("PRAGMA cache_size").getInt() == -512);
    start_log(database);
    CHECK(read_file_id(database) == 12346);
  }

  TEST_CASE("an id that cannot be written changes neither the cache size nor the file") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const auto connection = writer_of(dir.path("x"));
    SQLite::Database& database = connection->database();
    database.setBusyTimeout(0);
    const FileId id = read_file_id(database);
    SQLite::Database other(dir.path("x"), SQLite::OPEN_READWRITE);
    other.exec("BEGIN IMMEDIATE");
    CHECK_THROWS_AS(write_file_id(database, 12345), SQLite::Exception);
    CHECK(database.execAndGet("PRAGMA cache_size").getInt() == -512);
    other.exec("ROLLBACK");
    CHECK(read_file_id(database) == id);
  }

  TEST_CASE("a file without an id gets a first id") {
    SQLite::Database database(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    CHECK(read_file_id(database) == kNoFileId);
    start_log(database);
    CHECK(read_file_id(database) != kNoFileId);
    CHECK(read_file_id(database) % 256 == 0);
  }

  TEST_CASE("the log that SQLite writes begins with page 1 and has the id of its file") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const auto opening = open_at(dir.path("x"));
    REQUIRE(opening.store);
    Store& store = **opening.store;
    for (int logs = 0; logs < 3; ++logs) {
      CHECK(put(store, "first") == "committed");
      CHECK(put(store, "second") == "committed");
      const FileId id = read_header(dir.path("x"))->file_id;
      std::string log = read_file(dir.path("x-wal"));
      CHECK(number_at(log, 32, true) == 1);
      CHECK_FALSE(is_of_another(dir, log, id));
      CHECK_FALSE(is_of_another(dir, log, next_file_id(id)));
      CHECK(is_of_another(dir, log, id - 1));
      CHECK(is_of_another(dir, log, next_file_id(next_file_id(id))));
      CHECK(is_of_another(dir, log, kNoFileId));
      REQUIRE(store.writer()->checkpoint(false));
      CHECK(read_header(dir.path("x"))->file_id == next_file_id(id));
    }
  }

  TEST_CASE("a log that a commit starts over after another reader has ended gets the next id") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const auto opening = open_at(dir.path("x"));
    REQUIRE(opening.store);
    Store& store = **opening.store;
    CHECK(put(store, "first") == "committed");
    SQLite::Database other(dir.path("x"));
    other.exec("BEGIN");
    CHECK(other.execAndGet("SELECT count(*) FROM cache_entries").getInt() == 2);
    const auto done = store.writer()->checkpoint(false);
    REQUIRE(done);
    CHECK(done->wal_frames == done->moved_frames);
    CHECK(done->foreign_reader);  // all frames are moved, but the log could not start over
    other.exec("COMMIT");
    const FileId id = read_header(dir.path("x"))->file_id;
    const std::string before = read_file(dir.path("x-wal"));
    CHECK(put(store, "second") == "committed");
    const std::string log = read_file(dir.path("x-wal"));
    CHECK(log.substr(16, 8) != before.substr(16, 8));  // other salts: it was started over
    CHECK(number_at(log, 32, true) == 1);
    CHECK_FALSE(is_of_another(dir, log, id));
    CHECK(is_of_another(dir, log, id - 1));
  }

  TEST_CASE("a log that a commit starts over after a checkpoint of another program gets an id") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const auto opening = open_at(dir.path("x"));
    REQUIRE(opening.store);
    Store& store = **opening.store;
    CHECK(put(store, "first") == "committed");
    for (int logs = 0; logs < 3; ++logs) {
      CHECK(put(store, "first") == "committed");
      SQLite::Database other(dir.path("x"), SQLite::OPEN_READWRITE);
      CHECK(other.execAndGet("PRAGMA wal_checkpoint").getInt() == 0);
      const FileId id = read_header(dir.path("x"))->file_id;
      const std::string before = read_file(dir.path("x-wal"));
      CHECK(put(store, "first") == "committed");
      const std::string log = read_file(dir.path("x-wal"));
      REQUIRE(log.substr(16, 8) != before.substr(16, 8));  // other salts: it was started over
      CHECK_FALSE(is_of_another(dir, log, id));
      CHECK(is_of_another(dir, log, id - 1));
      CHECK(read_file_id(other) == next_file_id(id));
    }
  }

  TEST_CASE("each new log gets an id, independent of its first transaction") {
    const TempDir dir;
    make_cache(dir.path("x"));
    const auto opening = open_at(dir.path("x"));
    REQUIRE(opening.store);
    Writer& writer = *(*opening.store)->writer();
    const auto moved_id = [&] {
      REQUIRE(writer.checkpoint(false));
      return read_header(dir.path("x"))->file_id;
    };
    FileId id = moved_id();
    SUBCASE("giving pages back") {
      REQUIRE(writer.vacuum(1));
      CHECK(moved_id() == next_file_id(id));
    }
    SUBCASE("making the log shorter") {
      for (int i = 0; i < 400; ++i) CHECK(put(**opening.store, std::to_string(i)) == "committed");
      REQUIRE(writer.checkpoint(true));
      id = next_file_id(id);
      CHECK(read_header(dir.path("x"))->file_id == id);
      CHECK(moved_id() == next_file_id(id));
    }
    SUBCASE("a transaction that changes nothing begins no log") {
      REQUIRE(writer.begin());
      REQUIRE(writer.commit(false));
      CHECK(moved_id() == id);
    }
  }

  TEST_CASE("a log with checksums in either byte order is recognized") {
    const TempDir dir;
    for (const bool is_big_endian : {false, true}) {
      MadeLog log(is_big_endian);
      log.add(1, 257);
      CHECK_FALSE(is_of_another(dir, log.bytes, 256));
      CHECK(is_of_another(dir, log.bytes, 512));
    }
  }

  TEST_CASE("a log belongs to a file if any page 1 in it belongs to the file") {
    const TempDir dir;
    MadeLog log(false);
    log.add(5, 1);
    CHECK_FALSE(is_of_another(dir, log.bytes, 256));
    log.add(1, 300);
    CHECK(is_of_another(dir, log.bytes, 256));
    log.add(1, 256);
    CHECK_FALSE(is_of_another(dir, log.bytes, 256));
  }

  TEST_CASE("a log that SQLite ignores belongs to any file") {
    const TempDir dir;
    MadeLog log(false);
    log.add(1, 300);
    REQUIRE(is_of_another(dir, log.bytes, 256));
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{31}, std::size_t{32}, kFrame}) {
      CHECK_FALSE(is_of_another(dir, log.bytes.substr(0, bytes), 256));
    }
    CHECK_FALSE(is_of_another(dir, std::string(10'000, 'w'), 256));
    for (const std::size_t at : {0UL, 8UL, 16UL, 24UL, 32UL, 36UL, 40UL, 48UL, 56UL, 4'000UL}) {
      std::string flipped = log.bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
      CHECK_FALSE_MESSAGE(is_of_another(dir, flipped, 256), at);
    }
    const auto missing = is_log_of_another_file(dir.path("missing"), 256);
    REQUIRE(missing);
    CHECK_FALSE(*missing);
  }
}
