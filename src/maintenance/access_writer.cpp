#include "maintenance/access_writer.hpp"

#include "base/saturate.hpp"

namespace ashmemo::maintenance {

using base::Status;

Status AccessWriter::write_some(store::Store& store, bool* more) {
  const auto most = static_cast<std::size_t>(transactions_.portion().rows);
  const std::vector<std::int64_t> rows = engine_.access_buffer.rows(written_up_to_, most);
  std::size_t done = 0;
  Status written = write_touches(store, rows, &done);
  *more = rows.size() == most || done < rows.size();
  if (done > 0) written_up_to_ = rows[done - 1];
  if (!*more) written_up_to_ = 0;
  if (!written.ok()) return written;
  return *more ? Status{} : write_counters(store);
}

Status AccessWriter::write_touches(store::Store& store, const std::vector<std::int64_t>& rows,
                                   std::size_t* done) {
  if (rows.empty()) return {};
  std::int64_t taken = 0;  // reads
  Status all = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    std::int64_t bytes = 0;
    while (*done < rows.size() && bytes < transactions_.portion().bytes) {
      const auto touch = engine_.access_buffer.take(rows[(*done)++]);
      if (!touch) continue;  // eviction was quicker
      taken += touch->count;
      const auto written = writer.touch(*touch);
      if (!written.ok()) return written.failure();
      (*written ? changes.touches_written : changes.touches_dropped) += *written ? 1 : touch->count;
      bytes = base::add_saturated(bytes, written->value_or(0));
    }
    return {};
  });
  if (!all.ok()) engine_.counters.touches_lost.add(taken);
  return all;
}

Status AccessWriter::write_counters(store::Store& store) {
  const std::vector<store::CalculationRow> counted = engine_.catalog.take_counters();
  if (counted.empty()) return {};
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes&) -> Status {
    for (const store::CalculationRow& row : counted) {
      if (Status added = writer.add_counters(row); !added.ok()) return added;
    }
    return {};
  });
  if (!done.ok()) engine_.catalog.give_back_counters(counted);
  return done;
}

}  // namespace ashmemo::maintenance
