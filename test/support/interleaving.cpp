#include "support/interleaving.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "support/rendezvous.hpp"

namespace ashmemo::test {

namespace {

constexpr std::size_t kNoBody = static_cast<std::size_t>(-2);

/// The number of the body that this thread runs.
thread_local std::size_t this_body = kNoBody;

// If the body with the turn takes longer, it waits for another body and the test cannot continue.
constexpr auto kMaxWait = std::chrono::seconds(60);

}  // namespace

Interleaving::~Interleaving() {
  stopping_ = true;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    give_turn_to(i);
    threads_[i].join();
  }
}

Interleaving::Tried Interleaving::try_all(const std::function<std::vector<Body>()>& begin,
                                          const std::function<bool()>& end) {
  Tried tried;
  steps_.clear();
  do {
    run_one(begin());
    ++tried.orders;
    if (!end()) return tried;
    tried.all = !next_order();
  } while (!tried.all && tried.orders < bounds_.max_orders);
  return tried;
}

void Interleaving::run_one(std::vector<Body> bodies) {
  bodies_ = std::move(bodies);
  ended_.assign(bodies_.size(), false);
  order_.clear();
  while (threads_.size() < bodies_.size()) start_thread(threads_.size());
  const AtTestPoints points([this](std::string_view point) { at_point(point); });
  std::size_t last = kNoBody;
  for (std::size_t n = 0; std::find(ended_.begin(), ended_.end(), false) != ended_.end(); ++n) {
    last = step(n, last).body();
    run_to_next_point(last);
    order_ += std::to_string(last) + " to '" + reached_ + "'; ";
  }
  if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
}

/// The step with this number: the one of the last order, or a new one.
Interleaving::Step& Interleaving::step(std::size_t number, std::size_t last) {
  if (number < steps_.size()) return steps_[number];
  Step next;
  for (std::size_t i = 0; i < ended_.size(); ++i) {
    if (!ended_[i]) next.could.push_back(i);
  }
  const auto same = std::find(next.could.begin(), next.could.end(), last);
  next.interrupts = same != next.could.end();
  if (next.interrupts) std::rotate(next.could.begin(), same, same + 1);
  return steps_.emplace_back(std::move(next));
}

/// Changes the last choice that can be changed. Returns false if all orders were tried.
bool Interleaving::next_order() {
  auto interruptions = std::count_if(steps_.begin(), steps_.end(),
                                     [](const Step& step) { return step.interrupted(); });
  while (!steps_.empty()) {
    Step& last = steps_.back();
    interruptions -= last.interrupted() ? 1 : 0;
    const bool may = !last.interrupts || interruptions < bounds_.max_interruptions;
    if (may && last.chosen + 1 < last.could.size()) {
      ++last.chosen;
      return true;
    }
    steps_.pop_back();
  }
  return false;
}

void Interleaving::run_to_next_point(std::size_t body) {
  give_turn_to(body);
  wait_for_turn(kDriver);
}

void Interleaving::start_thread(std::size_t body) {
  threads_.emplace_back([this, body] { run_thread(body); });
}

void Interleaving::run_thread(std::size_t me) {
  this_body = me;
  for (wait_for_turn(me); !stopping_; wait_for_turn(me)) {
    try {
      bodies_[me].run();
    } catch (...) {
      exception_ = std::current_exception();
    }
    ended_[me] = true;
    reached_ = "its end";
    give_turn_to(kDriver);
  }
}

void Interleaving::at_point(std::string_view point) {
  if (this_body == kNoBody || !point.starts_with(bodies_[this_body].stops_at)) return;
  reached_ = point;
  give_turn_to(kDriver);
  wait_for_turn(this_body);
}

void Interleaving::give_turn_to(std::size_t body) {
  const std::lock_guard lock(mutex_);
  turn_ = body;
  turn_of(body).notify_one();
}

void Interleaving::wait_for_turn(std::size_t me) {
  std::unique_lock lock(mutex_);
  const auto is_mine = [this, me] { return turn_ == me; };
  if (me != kDriver) {
    turn_of(me).wait(lock, is_mine);
  } else if (!turn_of(me).wait_for(lock, kMaxWait, is_mine)) {
    std::fprintf(stderr, "interleaving: no body continues after: %s\n", order_.c_str());
    std::abort();
  }
}

}  // namespace ashmemo::test
