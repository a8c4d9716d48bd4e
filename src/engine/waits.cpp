#include "engine/waits.hpp"

#include <utility>

#include "base/mutex.hpp"

namespace ashmemo::engine {

thread_local const Refreshing* Refreshing::innermost_ = nullptr;

namespace {

// Never destroyed: threads may outlive static objects.
base::Mutex& mutex_of_waits() {
  static auto* const mutex = new base::Mutex;
  return *mutex;
}

// A wait for a flight that has ended is as good as over.
bool waits_for(const InFlight& flight, const Waiter& waiter) {
  const InFlight* next = &flight;
  while (next != nullptr && next->is_running()) {
    if (next->owner.get() == &waiter) return true;
    next = next->owner->waiting_for.get();
  }
  return false;
}

}  // namespace

const WaiterPtr& this_waiter() {
  thread_local const WaiterPtr waiter = std::make_shared<Waiter>();
  return waiter;
}

bool Refreshing::must_end() noexcept {
  const Refreshing* here = innermost_;
  while (here != nullptr && !here->closed_) here = here->outer_;
  return here != nullptr;
}

Wait::Wait(WaiterPtr waiter, InFlightPtr flight) : waiter_(std::move(waiter)) {
  base::Lock lock(mutex_of_waits());
  closes_circle_ = waits_for(*flight, *waiter_);
  if (!closes_circle_) waiter_->waiting_for = std::move(flight);
}

Wait::~Wait() {
  InFlightPtr ended;  // let go of after the lock
  base::Lock lock(mutex_of_waits());
  if (!closes_circle_) ended = std::exchange(waiter_->waiting_for, nullptr);
}

}  // namespace ashmemo::engine
