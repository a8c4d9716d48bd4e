#include "maintenance/recorder.hpp"

namespace ashmemo::maintenance {

using base::Status;

Status Recorder::write_some(store::Store& store, bool* more) {
  const auto most = static_cast<std::size_t>(transactions_.portion().rows);
  const std::vector<store::TouchRow> touches = engine_.marks.drain(written_up_to_, most);
  *more = touches.size() == most;
  written_up_to_ = *more ? touches.back().rowid : 0;
  if (Status written = write_touches(store, touches); !written.ok()) return written;
  return *more ? Status{} : write_counters(store);
}

Status Recorder::write_touches(store::Store& store, const std::vector<store::TouchRow>& touches) {
  if (touches.empty()) return {};
  Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
    for (const store::TouchRow& touch : touches) {
      const auto written = writer.touch(touch);
      if (!written.ok()) return written.failure();
      (*written ? changes.touches_written : changes.touches_dropped) += *written ? 1 : touch.count;
    }
    return {};
  });
  if (done.ok()) return done;
  for (const store::TouchRow& lost : touches) engine_.counters.touches_lost.add(lost.count);
  return done;
}

Status Recorder::write_counters(store::Store& store) {
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
