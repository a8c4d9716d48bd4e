#include "maintenance/recorder.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace ashmemo::maintenance {

using base::Status;

Status Recorder::write_all(store::Store& store) {
  if (Status touches = write_touches(store); !touches.ok()) return touches;
  return write_counters(store);
}

Status Recorder::write_touches(store::Store& store) {
  const std::vector<store::TouchRow> touches = engine_.marks.drain();
  std::span<const store::TouchRow> left(touches);
  while (!left.empty()) {
    const auto some = left.first(std::min<std::size_t>(left.size(), kMostRows));
    Status done = transactions_.run(store, [&](store::Writer& writer, Changes& changes) -> Status {
      for (const store::TouchRow& touch : some) {
        const auto written = writer.touch(touch);
        if (!written.ok()) return written.failure();
        (*written ? changes.touches_written : changes.touches_dropped) +=
            *written ? 1 : touch.count;
      }
      return {};
    });
    if (!done.ok()) {
      for (const store::TouchRow& lost : left) engine_.counters.touches_dropped.add(lost.count);
      return done;
    }
    left = left.subspan(some.size());
  }
  return {};
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
