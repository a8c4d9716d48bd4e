#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/mutex.hpp"

namespace ashmemo::engine {

/// The keys whose stale values are being refreshed in the background: each by one task only. Any
/// thread.
class Refreshes {
 public:
  /// False: somebody else refreshes it already.
  [[nodiscard]] bool begin(std::string_view key) {
    const base::Lock lock(mutex_);
    return keys_.emplace(key).second;
  }
  void end(const std::string& key) {
    const base::Lock lock(mutex_);
    keys_.erase(key);
  }

 private:
  base::Mutex mutex_;
  std::unordered_set<std::string> keys_ ASHMEMO_GUARDED_BY(mutex_);
};

}  // namespace ashmemo::engine
