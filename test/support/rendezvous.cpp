#include "support/rendezvous.hpp"

namespace ashmemo::test {

void Events::happened(const std::string& event) {
  const std::lock_guard lock(mutex_);
  ++happened_[event];
  changed_.notify_all();
}

void Events::wait_for(const std::string& event, int times) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return happened_[event] >= times; });
}

int Events::times(const std::string& event) {
  const std::lock_guard lock(mutex_);
  return happened_[event];
}

}  // namespace ashmemo::test
