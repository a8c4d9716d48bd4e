// Read-only opening creates no file that remains, and needs no folder that can be written.

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/rowid_hints.hpp"
#include "support/child.hpp"
#include "support/opening.hpp"
#include "support/raw_database.hpp"
#include "support/store_fixture.hpp"
#include "support/system_calls.hpp"
#include "support/temp_dir.hpp"

namespace fs = std::filesystem;
namespace store = ashmemo::store;
using namespace ashmemo::test;

namespace {

std::int64_t entries_in(const Opening& opening) {
  REQUIRE_MESSAGE(opening.store, message_of(opening));
  const auto totals = (*opening.store)->totals();
  REQUIRE_MESSAGE(totals, totals.failure().what);
  return totals->entries;
}

/// A cache with this many entries whose values are all `0`, beside "old".
void make_large_cache(const std::string& path, int entries) {
  make_cache(path);
  shell(path, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT " +
                  std::to_string(entries) +
                  ") INSERT INTO cache_entries"
                  " (cache_key, value, computed_at, byte_size, inserted_at, accessed_at)"
                  " SELECT 'key ' || (100000 + i), 0, 1, 100, 1, 1 FROM n");
}

/// Lets another program `change` the file before the call of `work` to the system with this number,
/// counted from 0. Returns false if `work` makes fewer calls.
bool change_at_call(int number, const std::function<void()>& change,
                    const std::function<void()>& work) {
  int calls = 0;
  before_os_calls([&](const OsCall&) {
    if (calls++ == number) change();
    return 0;
  });
  work();
  before_os_calls({});
  return calls > number;
}

/// Counts what a read delivers. Each value must be of its key, with the text "old" or "new".
struct StateSink : store::RowSink {
  explicit StateSink(std::span<const std::string> of) : keys(of) {}
  void row(std::size_t index, const store::EntryView& row) noexcept override {
    const std::string_view value = row.value.bytes();
    const bool is_old = value.starts_with("old " + keys[index] + ' ');
    const bool is_new = value.starts_with("new " + keys[index] + ' ');
    ++(is_old ? old_values : is_new ? new_values : wrong_values);
  }
  void damaged(std::size_t, std::int64_t) noexcept override { ++damages; }
  void used_hints(std::int64_t right, std::int64_t wrong) noexcept override {
    right_hints += right;
    wrong_hints += wrong;
  }

  std::span<const std::string> keys;
  int old_values = 0, new_values = 0, wrong_values = 0, damages = 0;
  std::int64_t right_hints = 0, wrong_hints = 0;
};

/// A closed cache whose rows are on a page each, so that a read of a row is a call to the system.
/// Half of the rows have no checksums.
class PageRows {
 public:
  static constexpr int kRows = 12;

  explicit PageRows(std::string path) : path_(std::move(path)) {
    for (int i = 0; i < kRows; ++i) keys_.push_back("key " + std::to_string(100 + i));
    auto opening = open_at(path_);
    REQUIRE_MESSAGE(opening.store, message_of(opening));
    store::Writer& writer = *(*opening.store)->writer();
    REQUIRE(writer.begin());
    std::int64_t stamp = 0;
    for (const std::string& key : keys_) {
      const std::string value = "old " + key + ' ' + std::string(3'000, 'x');
      REQUIRE(writer.put(row_of(key, ashmemo::ValueView::text(value), ++stamp)));
    }
    REQUIRE(writer.commit(false));
    opening.store->reset();
    shell(path_, "UPDATE cache_entries SET checksum = NULL WHERE rowid % 4 < 2");
  }
  [[nodiscard]] Opening open() const {
    store::OpenOptions options = options_for(path_);
    options.read_only = true;
    options.hints = hints_;
    return open_with(options);
  }
  StateSink read(const Opening& opening) const {
    REQUIRE_MESSAGE(opening.store, message_of(opening));
    const auto lookups = lookups_of(keys_);
    StateSink sink(keys_);
    const auto done = (*opening.store)->read(lookups, sink);
    if (!done) CHECK(done.failure().kind == ashmemo::base::FailureKind::unavailable);
    CHECK(sink.wrong_values == 0);
    CHECK(sink.damages == 0);
    return sink;
  }

 private:
  const std::string path_;
  std::vector<std::string> keys_;
  const std::shared_ptr<store::RowidHints> hints_ =
      std::make_shared<store::RowidHints>(store::RowidHints::kMinBytes);
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("read-only opening of a closed cache leaves no file behind") {
    for (const std::string name : {"x", "file:x", "a b%41?mode=ro#c", "\xC3\xBC'\"\\"}) {
      INFO(name);
      const TempDir dir;
      make_cache(dir.path(name));
      fs::remove(dir.path(name) + "-lock");
      const auto before = facts_of(dir.path());
      {
        const auto opening = open_read_only(dir.path(name));
        CHECK(entries_in(opening) == 1);
        CHECK((*opening.store)->entry("old")->has_value());
        CHECK((*opening.store)->integrity()->empty());
      }
      CHECK(facts_of(dir.path()) == before);
    }
  }

  TEST_CASE("a closed cache is read from a folder that cannot be written") {
    const TempDir dir;
    dir.open_to_all();
    fs::create_directory(dir.path("folder"));
    fs::permissions(dir.path("folder"), fs::perms(0777));
    const std::string path = dir.path("folder/x");
    const ChildEnd end = in_child([&]() -> std::string {
      drop_privileges();
      {
        const auto made = open_at(path);
        (void)put(**made.store, "old");
      }
      fs::remove(path + "-lock");
      fs::permissions(dir.path("folder/x"), fs::perms(0400));
      return "made";
    });
    REQUIRE(end.said == "made");
    fs::permissions(dir.path("folder"), fs::perms(0555));
    const ChildEnd reader = in_child([&]() -> std::string {
      drop_privileges();
      const auto opening = open_read_only(path);
      if (!opening.store) return opening.store.failure().what;
      return std::to_string((*opening.store)->totals()->entries) + ' ' + outcome(open_at(path));
    });
    CHECK(reader.said == "1 io");
    fs::permissions(dir.path("folder"), fs::perms(0700));
  }

  TEST_CASE("a log with content in a folder that cannot be written is an error with advice") {
    const TempDir dir;
    dir.open_to_all();
    fs::create_directory(dir.path("folder"));
    fs::permissions(dir.path("folder"), fs::perms(0777));
    const std::string path = dir.path("folder/x");
    Child holder([&](Child::Parent& parent) -> std::string {
      drop_privileges();
      const auto opening = open_at(path);
      (void)put(**opening.store, "old");
      parent.notify();
      parent.wait_for();
      return "";
    });
    REQUIRE(holder.wait_for());
    holder.kill();
    fs::remove(path + "-shm");
    fs::permissions(dir.path("folder"), fs::perms(0555));
    const ChildEnd reader = in_child([&]() -> std::string {
      drop_privileges();
      const auto opening = open_read_only(path);
      return outcome(opening) + ' ' + message_of(opening);
    });
    CHECK(reader.said.starts_with("io cannot open the cache '" + path));
    CHECK_MESSAGE(reader.said.find("its folder must be writable") != std::string::npos,
                  reader.said);
    fs::permissions(dir.path("folder"), fs::perms(0700));
  }

  TEST_CASE("a read-only store of a closed file sees the commits of a later writer") {
    const TempDir dir;
    const std::string path = dir.path("x");
    make_cache(path);
    Child other([&](Child::Parent& parent) -> std::string {  // forked before the file is open here
      parent.wait_for();
      const auto writer = open_at(path);
      return writer.store ? put(**writer.store, "third") : message_of(writer);
    });
    const auto reader = open_read_only(path);
    CHECK(entries_in(reader) == 1);
    {
      const auto writer = open_at(path);
      REQUIRE(writer.store);
      CHECK(entries_in(reader) == 1);
      CHECK(put(**writer.store, "new") == "committed");
      CHECK(entries_in(reader) == 2);
    }
    CHECK(entries_in(reader) == 2);
    other.notify();
    CHECK(other.wait_for_end().said == "committed");
    CHECK(entries_in(reader) == 3);
  }

  TEST_CASE("a copy of a closed cache is whole if another program changes it meanwhile") {
    const TempDir dir;
    make_large_cache(dir.path("x"), 50'000);  // larger than the page cache of the copy
    bool has_changed = false;
    before_os_calls([&](const OsCall& call) {
      // SQLite writes the copy before it has read the whole file.
      const bool is_copying = call.is_by_sqlite && call.kind == OsCall::Kind::write;
      if (!is_copying || std::exchange(has_changed, true)) return 0;
      shell(dir.path("x"), "UPDATE cache_entries SET value = 1");
      return 0;
    });
    write_file(dir.path("copy"), "");
    const auto opening = open_read_only(dir.path("x"));
    REQUIRE(opening.store);
    CHECK((*opening.store)->backup(dir.path("copy")));
    before_os_calls({});
    CHECK(has_changed);
    RawDatabase copy(dir.path("copy"));
    CHECK(copy.integer(
              "SELECT count(DISTINCT value) FROM cache_entries WHERE cache_key <> 'old'") == 1);
    CHECK(copy.rows("PRAGMA integrity_check") == "ok");
  }

  TEST_CASE("a check of a closed cache reports no damage if another program changes it meanwhile") {
    const TempDir dir;
    const std::string path = dir.path("x");
    for (int number = 0;; number += 25) {  // there are hundreds of calls
      CAPTURE(number);
      make_large_cache(path, 15'000);
      bool is_done = false;
      {
        const auto opening = open_read_only(path);
        REQUIRE(opening.store);
        CHECK(entries_in(opening) == 15'001);
        const auto change = [&] { shell(path, "DELETE FROM cache_entries; VACUUM"); };
        is_done = !change_at_call(number, change, [&] {
          const auto problems = (*opening.store)->integrity();
          REQUIRE_MESSAGE(problems, problems.failure().what);
          CHECK(problems->empty());
        });
      }
      fs::remove(path);
      if (is_done) break;
    }
  }

  TEST_CASE("a read of a closed cache repeats if another program changes it meanwhile") {
    const TempDir dir;
    const std::string path = dir.path("x");
    for (int number = 0;; ++number) {
      CAPTURE(number);
      make_cache(path);
      bool is_done = false;
      {
        const auto opening = open_read_only(path);
        REQUIRE(opening.store);
        CHECK((*opening.store)->entry("old")->has_value());
        const auto change = [&] { shell(path, "DELETE FROM cache_entries"); };
        is_done = !change_at_call(number, change, [&] {
          const auto entry = (*opening.store)->entry("old");
          REQUIRE_MESSAGE(entry, entry.failure().what);
          // The first three calls look at the file and its logs before the read.
          if (number < 3) CHECK_FALSE(entry->has_value());
        });
        CHECK((*opening.store)->entry("old")->has_value() == is_done);
      }
      fs::remove(path);
      if (is_done) break;
    }
  }

  TEST_CASE("hints find no wrong rows of a closed cache that another program changes meanwhile") {
    const std::string new_values =
        "UPDATE cache_entries SET value = 'new ' || cache_key || ' ' || hex(zeroblob(1600));"
        "UPDATE cache_entries SET rowid = rowid + 1000; UPDATE cache_entries SET rowid = 1013 - "
        "rowid";
    const TempDir dir;
    const std::string path = dir.path("x");
    const std::string other = dir.path("other");
    for (const bool is_replaced : {false, true}) {
      CAPTURE(is_replaced);
      for (int number = 0;; ++number) {
        CAPTURE(number);
        const PageRows file(path);
        CHECK(file.read(file.open()).old_values == PageRows::kRows);  // fills the hints
        if (is_replaced) {
          fs::copy_file(path, other);
          shell(other, new_values);
        }
        bool is_done = false;
        {
          const auto opening = file.open();
          const auto change = [&] {
            is_replaced ? fs::rename(other, path) : static_cast<void>(shell(path, new_values));
          };
          is_done = !change_at_call(number, change, [&] {
            const StateSink sink = file.read(opening);
            if (!is_replaced) CHECK(sink.right_hints + sink.wrong_hints >= PageRows::kRows);
          });
          if (!is_done) {
            // A store never reads the file that replaced its own. So that file is opened here.
            const StateSink sink = is_replaced ? file.read(file.open()) : file.read(opening);
            CHECK(sink.old_values == 0);
            CHECK(sink.new_values == PageRows::kRows);
            CHECK(sink.right_hints + sink.wrong_hints > 0);
          }
        }
        fs::remove(path);
        fs::remove(other);
        if (is_done) {
          CHECK(number > PageRows::kRows);
          break;
        }
      }
    }
  }

  TEST_CASE("an empty journal beside a closed cache does not prevent reading") {
    const TempDir dir;
    make_cache(dir.path("x"));
    write_file(dir.path("x-journal"), "");
    CHECK(entries_in(open_read_only(dir.path("x"))) == 1);
  }

  TEST_CASE("an empty log beside a missing or empty file does not prevent a new cache") {
    for (const bool file_is_empty : {false, true}) {
      const TempDir dir;
      const std::string path = dir.path("x");
      if (file_is_empty) write_file(path, "");
      write_file(path + "-wal", "");
      write_file(path + "-shm", std::string(32'768, '\0'));
      const auto opening = open_at(path);
      REQUIRE_MESSAGE(opening.store, message_of(opening));
      CHECK(put(**opening.store, "new") == "committed");
    }
  }
}
