#include <algorithm>

#include "store/writer.hpp"

// Calculations and their counters.

namespace ashmemo::store {
namespace {

constexpr std::int64_t kMaxCount = std::int64_t{1} << 61;  // adding to it never overflows

void bind_counters(Statement& statement, int first, const CalculationRow& row) {
  const auto bounded = [](std::int64_t count) {
    return std::clamp<std::int64_t>(count, -kMaxCount, kMaxCount);
  };
  statement.bind(first, bounded(row.hits));
  statement.bind(first + 1, bounded(row.stale_hits));
  statement.bind(first + 2, bounded(row.misses));
  statement.bind(first + 3, bounded(row.computed));
  statement.bind(first + 4, bounded(row.failed));
  statement.bind(first + 5, bounded(row.saved_us));
}

}  // namespace

base::Status SqliteWriter::put_calculation(const CalculationRow& row) {
  return change("storing a calculation", [&] {
    StatementUse put = use(&WriterSql::put_calculation);
    put->bind(1, row.id);
    put->bind_text(2, row.resource);
    put->bind_text(3, row.name);
    put->bind(4, row.version);
    put->bind_text(5, row.policy);
    put->bind(6, row.retired ? 1 : 0);
    bind_counters(*put, 7, row);
    row.result_type.empty() ? put->bind_null(13) : put->bind_text(13, row.result_type);
    put->run();
  });
}

base::Status SqliteWriter::add_counters(const CalculationRow& deltas) {
  return change("counting", [&] {
    StatementUse add = use(&WriterSql::add_counters);
    add->bind(1, deltas.id);
    bind_counters(*add, 2, deltas);
    add->bind(8, kMaxCount);
    add->run();
  });
}

base::Status SqliteWriter::forget_retired(std::span<const std::int64_t> ids) {
  return change("forgetting retired calculations", [&] {
    StatementUse forget = use(&WriterSql::forget_retired);
    for (const std::int64_t id : ids) {
      forget->bind(1, id);
      forget->run();
      forget->reset();
    }
  });
}

}  // namespace ashmemo::store
