#include "store/reader.hpp"

#include <SQLiteCpp/Backup.h>

#include <algorithm>
#include <compare>
#include <memory_resource>
#include <string_view>
#include <utility>
#include <vector>

#include "base/printable.hpp"
#include "base/scratch.hpp"
#include "store/checksum.hpp"
#include "store/file_id.hpp"
#include "store/key_range.hpp"
#include "store/row_columns.hpp"
#include "store/sqlite_error.hpp"
#include "store/store.hpp"

namespace ashmemo::store {

namespace {

// `proof` is the checksum of the row, or its key if it has no checksum.
bool proves(ValueView proof, std::string_view key, const EntryView& row) noexcept {
  if (proof.type() == ValueType::text) return proof.bytes() == key;
  return proof == ValueView::integer(checksum_of(key, row));
}

// Two changes of a file within this time may get the same time of change. FAT counts in steps of
// two seconds. Microseconds.
constexpr std::int64_t kTickOfFiles = 3'000'000;

// A look-up ends after this many rows that the device cannot read. Each of them costs an attempt. A
// device that answers slowly is not asked again after this time (microseconds).
constexpr int kMaxUnreadKeys = 100;
constexpr std::int64_t kMaxUnreadTime = 1'000'000;

/// The keys of one look-up that could not be read.
class UnreadKeys {
 public:
  UnreadKeys(sqlite3* handle, Clock& clock) : handle_(handle), clock_(clock) {}

  /// Returns false if no further key should be read.
  [[nodiscard]] bool add(const SQLite::Exception& error) {
    base::Failure failure = failure_of(error, handle_, "reading entries");
    const std::int64_t now = clock_.steady_now();
    if (count_ == 0) began_at_ = now;
    ++count_;
    const bool may_be_alone = is_unreadable(failure);
    if (!reported_ || !may_be_alone) reported_ = std::move(failure);
    return may_be_alone && count_ < kMaxUnreadKeys && now - began_at_ < kMaxUnreadTime;
  }
  [[nodiscard]] base::Status status() const {
    return reported_ ? base::Status(*reported_) : base::Status();
  }

 private:
  sqlite3* const handle_;
  Clock& clock_;
  std::optional<base::Failure> reported_;  // the first one, or the one that ends the look-up
  std::int64_t began_at_ = 0;              // after the first failure
  int count_ = 0;
};

// A value above this connection's limit counts as missing. It was stored under a larger limit or by
// another program.
bool is_missing(int rc) noexcept {
  return rc == SQLITE_DONE || failure_kind(rc) == base::FailureKind::too_large;
}

}  // namespace

base::Result<std::unique_ptr<Reader>> Reader::open(const std::string& path,
                                                   const ConnectionOptions& options,
                                                   SnapshotRule rule,
                                                   std::shared_ptr<RowidHints> hints) {
  ConnectionOptions wanted = options;
  const auto at_rest = options.immutable ? state_at_rest(path) : std::nullopt;
  wanted.immutable = at_rest.has_value();
  auto connection = Connection::open(path, wanted);
  if (!connection) return connection.failure();
  return make(std::move(*connection), std::move(rule), std::move(hints), path, at_rest);
}

base::Result<std::unique_ptr<Reader>> Reader::on(std::unique_ptr<Connection> connection,
                                                 SnapshotRule rule,
                                                 std::shared_ptr<RowidHints> hints,
                                                 const std::string& path) {
  return make(std::move(connection), std::move(rule), std::move(hints), path, std::nullopt);
}

base::Result<std::unique_ptr<Reader>> Reader::make(std::unique_ptr<Connection> connection,
                                                   SnapshotRule rule,
                                                   std::shared_ptr<RowidHints> hints,
                                                   const std::string& path,
                                                   const MayBeAtRest& at_rest) {
  return guarded(connection->handle(), "opening a reader", [&] {
    return std::unique_ptr<Reader>(
        new Reader(std::move(connection), std::move(rule), std::move(hints), path, at_rest));
  });
}

Reader::Reader(std::unique_ptr<Connection> connection, SnapshotRule rule,
               std::shared_ptr<RowidHints> hints, const std::string& path,
               const MayBeAtRest& at_rest)
    : connection_(std::move(connection)),
      rule_(std::move(rule)),
      hints_(std::move(hints)),
      path_(path),
      at_rest_(at_rest) {
  end_.on(database());  // prepared now, so that ending the snapshot cannot fail
  if (!at_rest_) return;
  const std::int64_t settled_at = at_rest_->changed_at / 1'000 + kTickOfFiles;
  if (rule_.clock->wall_now() >= settled_at) return;
  renewed_at_ = rule_.clock->steady_now() + kTickOfFiles;
}

// Reports the uses of hints at the end of a read, also of a read that fails.
struct Reader::HintUses {
  explicit HintUses(RowSink& to) : sink(to) {}
  ~HintUses() { sink.used_hints(right, wrong); }
  HintUses(const HintUses&) = delete;
  HintUses& operator=(const HintUses&) = delete;

  RowSink& sink;
  std::int64_t right = 0;
  std::int64_t wrong = 0;
};

bool Reader::is_current() const noexcept { return !at_rest_ || is_still_at_rest(path_, *at_rest_); }

// Reads the keys without a hint in their order, and then the others in the order of rowids, because
// neighbours share pages.
base::Status Reader::read(std::span<const Lookup> keys, RowSink& sink) {
  struct Place {
    std::int64_t rowid;
    const Lookup* lookup;
    auto operator<=>(const Place&) const = default;
  };
  return guarded(connection_->handle(), "reading entries", [&]() -> base::Status {
    use_snapshot();
    HintUses uses(sink);
    if (keys.size() == 1) {
      read_one(hint_for(keys.front()), keys.front(), uses);
      return {};
    }
    base::Scratch scratch;
    std::pmr::vector<Place> places(scratch.memory());
    places.reserve(keys.size());
    for (const Lookup& lookup : keys) places.push_back({hint_for(lookup), &lookup});
    std::sort(places.begin(), places.end());
    UnreadKeys unread(connection_->handle(), *rule_.clock);
    for (const Place& place : places) {
      try {
        read_one(place.rowid, *place.lookup, uses);
      } catch (const SQLite::Exception& error) {
        if (!unread.add(error)) break;
        use_new_snapshot();
      }
    }
    return unread.status();
  });
}

// SQLite may have ended the transaction of a statement that failed.
void Reader::use_new_snapshot() {
  if (sqlite3_get_autocommit(connection_->handle()) != 0) holds_ = false;
  use_snapshot();
}

std::int64_t Reader::hint_for(const Lookup& lookup) const noexcept {
  return hints_->find(lookup.key).value_or(kNoHint);
}

void Reader::read_one(std::int64_t hint, const Lookup& lookup, HintUses& uses) {
  if (hint != kNoHint) {
    const bool is_right = read_at(hint, lookup, uses.sink);
    ++(is_right ? uses.right : uses.wrong);
    if (is_right) return;
  }
  read_by_key(lookup, uses.sink);
}

// Returns false if the row does not exist or has another key. A wrong hint proves no damage.
bool Reader::read_at(std::int64_t rowid, const Lookup& lookup, RowSink& sink) {
  StatementUse find(find_at_, database());
  find->bind(1, rowid);
  find->bind_text(2, lookup.key);
  const int rc = find->try_step();
  if (rc == SQLITE_ROW && deliver(*find, lookup, sink)) return true;
  if (rc != SQLITE_ROW && !is_missing(rc)) {
    hints_->forget(lookup.key, rowid);  // it may be wrong, and then the row can be read by its key
    find->fail(rc);
  }
  const bool is_too_large = failure_kind(rc) == base::FailureKind::too_large;
  if (is_too_large && has_row(rowid, lookup.key)) return true;
  hints_->forget(lookup.key, rowid);
  return false;
}

// A key of another program may be too large to be read.
bool Reader::has_row(std::int64_t rowid, std::string_view key) {
  StatementUse found(key_of_, database());
  found->bind(1, rowid);
  const int rc = found->try_step();
  if (rc != SQLITE_ROW && !is_missing(rc)) found->fail(rc);
  return rc == SQLITE_ROW && has_key(*found, 0, key);
}

void Reader::read_by_key(const Lookup& lookup, RowSink& sink) {
  StatementUse find(find_, database());
  find->bind_text(1, lookup.key);
  const int rc = find->try_step();
  if (rc == SQLITE_ROW) {
    if (!deliver(*find, lookup, sink)) fail_by_key();
    hints_->fill(lookup.key, find->integer(0));
  } else if (!is_missing(rc)) {
    find->fail(rc);
  }
}

// A checksum that matches proves the key, too. Otherwise this reads the key of the row. If the key
// is right, only the row is damaged. Returns false if the key is another one or there is no row.
bool Reader::deliver(const Statement& found, const Lookup& lookup, RowSink& sink) {
  const EntryView row = entry_at(found);
  if (proves(found.value(9), lookup.key, row)) {
    sink.row(lookup.index, row);
    return true;
  }
  StatementUse key(key_of_, database());
  key->bind(1, row.rowid);
  key->step();
  if (!has_key(*key, 0, lookup.key)) return false;
  if (!is_current()) key->fail(SQLITE_CORRUPT);  // no damage: the file changed during the read
  sink.damaged(lookup.index, row.rowid);
  return true;
}

// Loads the counter before the first SELECT, which fixes the snapshot. So the snapshot may contain
// more commits than were counted, never fewer.
void Reader::use_snapshot() {
  const std::uint64_t commits = rule_.commits->load();
  const std::int64_t now = rule_.clock->steady_now();
  if (holds_ && seen_commits_ == commits && now - began_at_ < kMaxAge) return;
  let_go();
  StatementUse(begin_, database())->run();
  holds_ = true;
  seen_commits_ = commits;
  began_at_ = now;
}

void Reader::let_go() noexcept {
  if (!holds_) return;
  // If this fails, the next use tries it again.
  static_cast<void>(end_.try_step());
  end_.reset();
  holds_ = sqlite3_get_autocommit(connection_->handle()) == 0;
}

void Reader::finish() noexcept {
  if (!rule_.keep || seen_commits_ != rule_.commits->load(std::memory_order_relaxed)) let_go();
}

std::int64_t Reader::snapshot_age() const noexcept { return rule_.clock->steady_now() - began_at_; }

// ---- everything except lookups of keys

namespace {

// The maximum memory of a page of for_each, because 1,000 entries may have 64 MiB each.
constexpr std::size_t kPageBytes = 4 * 1024 * 1024;

// No program has more calculations. A file that claims more is damaged or hostile. Each command
// that invalidates a calculation adds a retired row, which stays until its entries are deleted.
constexpr std::size_t kMaxCalculations = 100'000;
constexpr std::size_t kMaxCalculationRows = 10 * kMaxCalculations;
constexpr std::size_t kMaxCalculationBytes = 32 * 1024 * 1024;  // of their texts

constexpr int kBackupPages = 1'000;  // a step

StoredEntry entry_of(const Statement& row) {
  const EntryView view = entry_at(row);
  StoredEntry entry(row.text(9), view);
  entry.is_damaged = !matches(row.value(10), checksum_of(row.text(9), view));
  entry.info.byte_size = size_at(row, 12);
  entry.info.inserted_at = row.integer(13);
  entry.info.accessed_at = row.integer(14);
  entry.info.access_count = row.integer(15);
  return entry;
}

/// SQLite reports several problems in one text, and some of them twice.
void add_lines(std::string_view text, std::vector<std::string>& lines) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string line = base::printable(std::string(text.substr(0, end)));
    const bool is_new = std::find(lines.begin(), lines.end(), line) == lines.end();
    if (!line.empty() && is_new) lines.push_back(std::move(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Checks the list of free pages together with the schema's table, because SQLite's check of the
// whole file skips that list if the file has views.
constexpr const char* kIntegrityChecks[] = {"PRAGMA integrity_check",
                                            "PRAGMA integrity_check(sqlite_schema)"};

CalculationRow calculation_of(const Statement& row) {
  CalculationRow calculation;
  calculation.id = row.integer(0);
  calculation.resource = row.text(1);
  calculation.name = row.text(2);
  calculation.version = row.integer(3);
  calculation.policy = row.text(4);
  calculation.retired = row.integer(5) != 0;
  int column = 6;
  for (const auto count : kCalculationCounts<std::int64_t>) {
    calculation.*count = summand(row, column++);
  }
  calculation.result_type = row.text(12);
  return calculation;
}

// A damaged index may have a loop or keys in any order. Then a walk would never end.
void require_order(std::string_view key, std::string_view from) {
  if (key >= from) return;
  throw SQLite::Exception("the keys of cache_entries are out of order", SQLITE_CORRUPT);
}

base::Failure damaged(const char* what) { return {base::FailureKind::corrupt, 0, what}; }

void copy_pages(SQLite::Backup& copy, SQLite::Database& target) {
  while (true) {
    const int rc = copy.executeStep(kBackupPages);
    if (rc == SQLITE_DONE) return;
    if (rc != SQLITE_OK)
      throw SQLite::Exception(target.getHandle(), rc);  // another connection has locked the target
  }
}

}  // namespace

base::Result<std::optional<StoredEntry>> Reader::entry(std::string_view key) {
  return guarded(connection_->handle(), "reading an entry", [&] {
    use_snapshot();
    std::vector<StoredEntry> found;
    take_page(KeyRange::only(key), 1, &found);
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
  });
}

base::Result<std::vector<StoredEntry>> Reader::page(std::string_view prefix, std::string_view after,
                                                    int max_rows) {
  return guarded(connection_->handle(), "reading a page of entries", [&] {
    use_snapshot();
    std::vector<StoredEntry> found;
    KeyRange range = KeyRange::of_prefix(prefix);
    range.start_after(after);
    while (!take_page(range, max_rows, &found) && found.empty())
      range.start_after(first_key(range));
    return found;
  });
}

// Returns false after it stopped at an entry that is too large for this connection. Such an entry
// counts as missing, as in a lookup.
bool Reader::take_page(const KeyRange& range, int max_rows, std::vector<StoredEntry>* page) {
  StatementUse select(page_, database());
  select->bind_text(1, range.first());
  select->bind_value(2, range.end());
  select->bind(3, max_rows);
  std::string from(range.first());
  std::size_t bytes = 0;
  while (bytes < kPageBytes) {
    const int rc = select->try_step();
    if (rc == SQLITE_DONE) return true;
    if (failure_kind(rc) == base::FailureKind::too_large) return false;
    if (rc != SQLITE_ROW) select->fail(rc);
    require_key(*select, 9, select->text(11));
    page->push_back(entry_of(*select));
    require_order(page->back().info.key, from);
    from = page->back().info.key + '\0';
    bytes += page->back().info.key.size() + page->back().value.size_bytes();
  }
  return true;
}

std::string Reader::first_key(const KeyRange& range) {
  Statement keys(
      "SELECT cache_key FROM cache_entries WHERE cache_key >= ?1 ORDER BY cache_key LIMIT 1");
  StatementUse select(keys, database());
  select->bind_text(1, range.first());
  select->step();
  require_order(select->text(0), range.first());
  return std::string(select->text(0));
}

base::Result<std::vector<CalculationRow>> Reader::calculations() {
  using Rows = std::vector<CalculationRow>;
  return guarded(connection_->handle(), "reading the calculations", [&]() -> base::Result<Rows> {
    use_snapshot();
    Statement all(
        "SELECT id, iif(retired, '', resource), iif(retired, '', name), version,"
        " iif(retired, '', policy), retired, hits, stale_hits, misses, computed, failed, saved_us,"
        " iif(retired, NULL, result_type) FROM cache_calculations ORDER BY id");
    StatementUse select(all, database());
    Rows rows;
    std::size_t current = 0;
    std::size_t bytes = 0;
    while (select->step()) {
      current += select->integer(5) == 0 ? 1U : 0U;
      for (const int column : {1, 2, 4, 12}) bytes += select->text(column).size();
      if (current > kMaxCalculations || rows.size() == kMaxCalculationRows ||
          bytes > kMaxCalculationBytes) {
        return damaged("cache_calculations is larger than any program's");
      }
      CalculationRow row = calculation_of(*select);
      // With the id of another calculation, old results could answer for new code.
      if (!rows.empty() && row.id <= rows.back().id) {
        return damaged("the ids of cache_calculations are out of order");
      }
      rows.push_back(std::move(row));
    }
    return rows;
  });
}

base::Result<Totals> Reader::totals() {
  return guarded(connection_->handle(), "reading the totals", [&]() -> base::Result<Totals> {
    use_snapshot();
    Statement row(
        "SELECT entries, bytes, probation_entries, probation_bytes FROM cache_totals WHERE id = 1");
    StatementUse select(row, database());
    if (!select->step()) return damaged("cache_totals has lost its row");
    return Totals{select->integer(0), select->integer(1), select->integer(2), select->integer(3)};
  });
}

base::Result<std::int64_t> Reader::last_stamp() {
  return guarded(connection_->handle(), "reading the last stamp", [&] {
    use_snapshot();
    // Reads both columns, because entries of another program have their own inserted_at.
    Statement row(
        "SELECT max(coalesce((SELECT last_stamp FROM cache_totals WHERE id = 1"
        "                     AND last_stamp < ?1), 0),"
        "           coalesce((SELECT max(inserted_at) FROM cache_entries"
        "                     WHERE inserted_at < ?1), 0))");
    StatementUse select(row, database());
    select->bind(1, kNoStamp);
    select->step();
    return select->integer(0);
  });
}

base::Result<std::vector<std::string>> Reader::integrity() {
  std::vector<std::string> lines;
  const auto done = guarded(connection_->handle(), "checking the file", [&] {
    for (const char* sql : kIntegrityChecks) {
      Statement pragma(sql);
      StatementUse check(pragma, database());
      while (check->step()) {
        if (check->text(0) != "ok") add_lines(check->text(0), lines);
      }
    }
  });
  if (done) {
    const auto of_device = take_device_failure(connection_->handle(), "checking the file");
    if (of_device) return *of_device;
    return lines;
  }
  // Some kinds of damage make the check itself fail. That is an answer, too.
  if (done.failure().kind != base::FailureKind::corrupt) return done.failure();
  lines.push_back(done.failure().what);
  return lines;
}

// The open read transaction makes all steps copy the same state.
base::Status Reader::backup(const std::string& target) {
  return guarded(connection_->handle(), "copying the file to " + target, [&] {
    use_snapshot();
    Statement any("SELECT id FROM cache_totals");  // BEGIN alone takes no snapshot
    StatementUse(any, database())->step();
    SQLite::Database copy(plain_name(target),
                          SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW);
    // The target needs no journal, because a copy that fails is deleted.
    copy.exec("PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL; PRAGMA mmap_size=0;");
    {
      SQLite::Backup backup(copy, database());
      copy_pages(backup, copy);
    }
    // If the copy replaces this file, it must not get the pages of this file's log.
    write_file_id(copy, new_file_id());
  });
}

}  // namespace ashmemo::store
