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
bool waits_for(const Flight& flight, const Party& party) {
  const Flight* next = &flight;
  while (next != nullptr && next->is_flying()) {
    if (next->owner.get() == &party) return true;
    next = next->owner->waiting_for.get();
  }
  return false;
}

}  // namespace

const PartyPtr& this_party() {
  thread_local const PartyPtr party = std::make_shared<Party>();
  return party;
}

bool Refreshing::must_end() noexcept {
  const Refreshing* here = innermost_;
  while (here != nullptr && !here->closed_) here = here->outer_;
  return here != nullptr;
}

Wait::Wait(PartyPtr party, FlightPtr flight) : party_(std::move(party)) {
  base::Lock lock(mutex_of_waits());
  closes_circle_ = waits_for(*flight, *party_);
  if (!closes_circle_) party_->waiting_for = std::move(flight);
}

Wait::~Wait() {
  FlightPtr ended;  // let go of after the lock
  base::Lock lock(mutex_of_waits());
  if (!closes_circle_) ended = std::exchange(party_->waiting_for, nullptr);
}

}  // namespace ashmemo::engine
