#include <sqlite3.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "store/key_range.hpp"
#include "store/row_columns.hpp"
#include "store/writer.hpp"

// Removals of many entries, in bounded steps. Rows are chosen first and deleted then, by their
// rowids: the caller is told their keys in any case, and DELETE ... RETURNING, which collects them
// in a table of its own, is no quicker.

namespace ashmemo::store {
namespace {

// Of byte_size: what one transaction may carry, for each row may dirty several pages.
constexpr std::int64_t kMaxBytes = 4 * 1024 * 1024;

}  // namespace

/// What one step removes, within its bounds.
struct SqliteWriter::Taken {
  explicit Taken(int most_rows) : most(static_cast<std::size_t>(std::max(most_rows, 0))) {}

  /// False: there is no room for this row, nor for any other.
  bool add(const Statement& row) {
    const std::int64_t size = std::max<std::int64_t>(row.integer(1), 0);
    full = full || rows.size() >= most || (!rows.empty() && size > kMaxBytes - bytes);
    if (full) return false;
    rows.push_back(removed_row(row, row.text(7)));
    rowids.push_back(row.integer(0));
    bytes += std::clamp<std::int64_t>(size, 0, kMaxBytes);
    return true;
  }

  std::size_t most;
  Removed rows;
  std::vector<std::int64_t> rowids;
  std::int64_t bytes = 0;
  bool full = false;
};

Writer::Removed SqliteWriter::remove_all(Taken&& taken) {
  for (std::size_t i = 0; i < taken.rows.size(); ++i) {
    remove(taken.rowids[i], taken.rows[i].byte_size, taken.rows[i].eviction_queue);
  }
  return std::move(taken.rows);
}

base::Result<Writer::Removed> SqliteWriter::erase_prefix(std::string_view prefix, int most) {
  return change_by_keys("removing entries by prefix", [&] {
    Taken taken(most);
    {
      const KeyRange range = KeyRange::of_prefix(prefix);
      StatementUse select = use(&WriterSql::in_key_range);
      select->bind_text(1, range.first());
      select->bind_value(2, range.end());
      select->bind(3, most);
      while (select->step()) {
        require_key(*select, 7, select->text(9));
        if (!taken.add(*select)) break;
      }
    }
    return remove_all(std::move(taken));
  });
}

base::Result<Writer::Due> SqliteWriter::erase_due(std::int64_t now, int most) {
  return change_by_keys("removing expired entries", [&] {
    Taken taken(most);
    {
      StatementUse select = use(&WriterSql::due);
      select->bind(1, now);
      while (select->step() && taken.add(*select)) {
      }
    }
    const bool more = taken.full;
    return Due{remove_all(std::move(taken)), more};
  });
}

base::Result<Writer::Removed> SqliteWriter::erase_retired(std::optional<std::int64_t>* rowid,
                                                          int most) {
  return change_by_keys("removing entries of retired calculations", [&] {
    const std::vector<std::int64_t> retired = retired_calculations();
    Taken taken(most);
    if (!retired.empty() && look_for(retired, rowid, &taken)) return remove_all(std::move(taken));
    *rowid = std::nullopt;
    return remove_all(std::move(taken));
  });
}

// Looks at as many rows as may be taken. False: the end of the table was reached.
bool SqliteWriter::look_for(const std::vector<std::int64_t>& calculations,
                            std::optional<std::int64_t>* rowid, Taken* taken) {
  StatementUse select = use(&WriterSql::after_rowid);
  select->bind(1, rowid->value_or(std::numeric_limits<std::int64_t>::min()));
  for (std::size_t looked_at = 0; looked_at < taken->most; ++looked_at) {
    if (!select->step()) return false;
    const std::int64_t calculation = select->integer(2);
    const bool wanted = std::binary_search(calculations.begin(), calculations.end(), calculation);
    if (wanted && !taken->add(*select)) break;
    *rowid = select->integer(0);
  }
  return true;
}

std::vector<std::int64_t> SqliteWriter::retired_calculations() {
  std::vector<std::int64_t> ids;
  StatementUse select = use(&WriterSql::retired);
  while (select->step()) ids.push_back(select->integer(0));
  return ids;  // in order: by the primary key
}

// DELETE without WHERE frees the pages without a look at the rows: there are no triggers in its
// way.
base::Result<std::int64_t> SqliteWriter::erase_all() {
  return change("removing all entries", [&] {
    use(&WriterSql::remove_all)->run();
    totals_ = {};
    return std::int64_t{sqlite3_changes64(handle())};
  });
}

base::Result<std::vector<Candidate>> SqliteWriter::oldest(std::int64_t queue, int most) {
  return change_by_keys("looking for the oldest entries", [&] {
    const bool probation = queue == kProbationQueue;
    StatementUse select = use(probation ? &WriterSql::oldest_on_probation : &WriterSql::oldest);
    select->bind(1, most);
    std::vector<Candidate> candidates;
    while (select->step()) {
      candidates.push_back({select->integer(0), std::string(select->text(1)), select->integer(2),
                            select->integer(3), select->integer(4), select->integer(5),
                            select->integer(6), select->integer(7)});
    }
    return candidates;
  });
}

}  // namespace ashmemo::store
