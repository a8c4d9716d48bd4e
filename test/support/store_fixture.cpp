#include "support/store_fixture.hpp"

#include <doctest/doctest.h>

#include <utility>

namespace ashmemo::test {

StoreFixture::StoreFixture() {
  options.path = path;
  options.reader_cache_bytes = 1 << 20;
  options.writer_cache_bytes = 1 << 20;
  options.max_entry_bytes = 64 << 20;
  options.clock = clock;
  reopen();
}

StoreFixture::~StoreFixture() {
  if (whole_) CHECK(raw().rows("PRAGMA integrity_check") == "ok");
  if (totals_are_right_) CHECK(kept_totals() == counted_totals());
  close();
}

std::string StoreFixture::kept_totals() {
  return raw().rows("SELECT entries, bytes, probation_entries, probation_bytes FROM cache_totals");
}

std::string StoreFixture::counted_totals() {
  return raw().rows(
      "SELECT count(*), coalesce(sum(byte_size), 0), coalesce(sum(eviction_queue = 1), 0),"
      " coalesce(sum((eviction_queue = 1) * byte_size), 0) FROM cache_entries");
}

void StoreFixture::close() {
  raw_.reset();
  store_.reset();
}

void StoreFixture::reopen() {
  close();
  auto opened = store::open_store(options);
  INFO((opened ? std::string() : opened.failure().what));
  REQUIRE(opened);
  store_ = std::move(*opened);
}

RawDatabase& StoreFixture::raw() {
  if (!raw_) raw_ = std::make_unique<RawDatabase>(path);
  return *raw_;
}

void StoreFixture::transaction(const std::function<void(store::Writer&)>& body, bool synced) {
  REQUIRE(writer().begin());
  body(writer());
  const auto committed = writer().commit(synced);
  INFO((committed ? std::string() : committed.failure().what));
  REQUIRE(committed);
}

void StoreFixture::put(const std::vector<std::pair<std::string, std::string>>& entries) {
  transaction([&](store::Writer& to) {
    for (const auto& [key, value] : entries) {
      REQUIRE(to.put(row_of(key, ValueView::text(value), ++last_stamp)));
    }
  });
}

store::PutRow row_of(std::string_view key, ValueView value, std::int64_t stamp) {
  store::PutRow row;
  row.key = key;
  row.value = value;
  row.byte_size = 100;
  row.stamp = stamp;
  row.deadlines.computed_at = 1'000;
  return row;
}

void CollectingSink::row(std::size_t index, const store::EntryView& row) noexcept {
  CHECK(rows.count(index) == 0);
  rows[index] = {row.rowid,   row.deadlines,   row.calculation_id, Value(row.record_version),
                 row.cost_us, Value(row.value)};
}

std::vector<store::Lookup> lookups_of(const std::vector<std::string>& keys) {
  std::vector<store::Lookup> lookups;
  for (std::size_t i = 0; i < keys.size(); ++i) lookups.push_back({keys[i], i});
  return lookups;
}

std::map<std::size_t, CollectingSink::Row> read_rows(store::Store& store,
                                                     const std::vector<std::string>& keys) {
  CollectingSink sink;
  const auto done = store.read(lookups_of(keys), sink);
  INFO((done ? std::string() : done.failure().what));
  REQUIRE(done);
  return std::move(sink.rows);
}

std::optional<Value> read_value(store::Store& store, const std::string& key) {
  auto rows = read_rows(store, {key});
  if (rows.empty()) return std::nullopt;
  return std::move(rows[0].value);
}

std::string numbered_key(int i) { return "key " + std::to_string(1'000'000 + i); }

}  // namespace ashmemo::test
