#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/rowid_hints.hpp"
#include "support/statement_counter.hpp"
#include "support/store_fixture.hpp"

namespace ashmemo::test {

/// Keeps what Store::read delivers, in this order.
struct HintSink : store::RowSink {
  void row(std::size_t index, const store::EntryView& row) noexcept override {
    rowids.push_back(row.rowid);
    indexes.push_back(index);
    values.emplace_back(row.value);
    if (on_row) on_row();
  }
  void damaged(std::size_t, std::int64_t) noexcept override { ++damages; }
  void used_hints(std::int64_t right_hints, std::int64_t wrong_hints) noexcept override {
    right += right_hints;
    wrong += wrong_hints;
  }

  std::vector<std::int64_t> rowids;
  std::vector<std::size_t> indexes;
  std::vector<Value> values;
  int damages = 0;
  std::int64_t right = 0;
  std::int64_t wrong = 0;
  std::function<void()> on_row;
};

/// Gives all rows other rowids: 1, 2, ... in the order of falling keys.
inline constexpr const char* kRenumber =
    "DROP TABLE IF EXISTS temp.copies;"
    "CREATE TEMP TABLE copies AS SELECT * FROM cache_entries ORDER BY cache_key DESC;"
    "DELETE FROM cache_entries; INSERT INTO cache_entries SELECT * FROM copies";

/// A store that remembers rowids, and the statements that it runs.
class HintedFile {
 public:
  HintedFile() {
    file.options.hints = hints;
    file.reopen();
  }

  /// One read of all these keys, with its statements in `by_rowid` and `by_key`.
  HintSink read(const std::vector<std::string>& keys, const std::function<void()>& on_row = {}) {
    HintSink sink;
    sink.on_row = on_row;
    const auto done = read_into(sink, keys);
    INFO((done ? std::string() : done.failure().what));
    REQUIRE(done);
    return sink;
  }
  base::Status read_into(HintSink& sink, const std::vector<std::string>& keys) {
    const auto lookups = test::lookups_of(keys);
    static_cast<void>(statements.take());
    auto done = file.store().read(lookups, sink);
    const auto run = statements.take();
    by_rowid = count_of("NOT INDEXED WHERE rowid = ?1", run);
    by_key = count_of("WHERE k.cache_key = ?1", run);
    return done;
  }
  /// The value of one key; null if there is no row.
  Value value(const std::string& key) {
    HintSink sink = read({key});
    return sink.values.empty() ? Value::null() : std::move(sink.values[0]);
  }
  std::int64_t rowid_of(const std::string& key) {
    return file.raw().integer("SELECT rowid FROM cache_entries WHERE cache_key = '" + key + "'");
  }
  void forget(const std::string& key) { hints->forget(key, rowid_of(key)); }
  /// Another program changes the file, and readers see it at once.
  void change(const std::string& sql) {
    file.raw().run(sql);
    file.store().release_snapshots(0);
  }

  StatementCounter statements;
  std::shared_ptr<store::RowidHints> hints =
      std::make_shared<store::RowidHints>(store::RowidHints::kMinBytes);
  StoreFixture file;
  int by_rowid = 0;
  int by_key = 0;
};

}  // namespace ashmemo::test
