#include "engine/failed_records.hpp"

#include "base/saturate.hpp"

namespace ashmemo::engine {

bool FailedRecords::is_paused(std::string_view key, std::int64_t now) const {
  const base::Lock lock(mutex_);
  const auto found = records_.find(key);
  return found != records_.end() && !found->second.back_off.is_over(now);
}

std::size_t FailedRecords::max_batch(std::string_view key) const {
  const base::Lock lock(mutex_);
  const auto found = records_.find(key);
  if (found == records_.end()) return std::numeric_limits<std::size_t>::max();
  return (found->second.batch + 1) / 2;
}

void FailedRecords::failed(std::string_view key, std::int64_t began, std::int64_t now,
                           std::size_t batch) {
  const base::Lock lock(mutex_);
  auto found = records_.find(key);
  if (found == records_.end()) {
    if (bytes_ + bytes_of(key) > kMaxBytes) {
      records_.clear();
      bytes_ = 0;
    }
    found = records_.try_emplace(std::string(key)).first;
    bytes_ += bytes_of(key);
    is_empty_ = false;
  }
  found->second.back_off.failed(began, now);
  found->second.batch = batch;
}

void FailedRecords::succeeded(std::string_view key) {
  const base::Lock lock(mutex_);
  const auto found = records_.find(key);
  if (found == records_.end()) return;
  records_.erase(found);
  bytes_ -= bytes_of(key);
  is_empty_ = records_.empty();
}

void FailedRecords::forget_old(std::int64_t now) {
  const base::Lock lock(mutex_);
  if (now < next_look_) return;
  next_look_ = base::add_saturated(now, BackOff::kMax);
  for (auto at = records_.begin(); at != records_.end();) {
    const bool is_old = at->second.back_off.is_over(base::subtract_saturated(now, BackOff::kMax));
    if (is_old) bytes_ -= bytes_of(at->first);
    at = is_old ? records_.erase(at) : std::next(at);
  }
  is_empty_ = records_.empty();
}

}  // namespace ashmemo::engine
