#include "bench/suite/pacer.hpp"

#include "bench/suite/keys.hpp"

namespace ashmemo::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

}  // namespace

void at_pace(double each_second, double seconds, const std::atomic<bool>& stop,
             const std::function<void()>& one) {
  const auto start = SteadyClock::now();
  double done = 0;
  for (double now = 0; now < seconds && !stop.load(); now = seconds_since(start)) {
    for (const double due = now * each_second; done < due; ++done) one();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

double sustained_rate(const Contestant& contestant, const Setup& setup, double seconds) {
  PairBlock block(ascending(setup.entries), kBatch, setup.value_bytes);
  const auto start = SteadyClock::now();
  std::size_t done = 0;
  while (done == 0 || seconds_since(start) < seconds) {
    contestant->put_many(block.next());
    done += kBatch;
  }
  contestant->flush();
  return static_cast<double>(done) / seconds_since(start);
}

}  // namespace ashmemo::bench
