#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/mutex.hpp"

namespace ashmemo::engine {

/// Which keys one background batch refreshes, copied into one piece of memory.
class RefreshKeys {
 public:
  void reserve(std::size_t keys, std::size_t bytes) {
    ends_.reserve(keys);
    text_.reserve(bytes);
  }
  void add(std::string_view key) {
    text_ += key;
    ends_.push_back(text_.size());
  }
  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] std::string_view operator[](std::size_t i) const noexcept {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

/// The keys whose stale values are being refreshed in the background: each by one batch only. Any
/// thread.
///
/// A batch that runs alone costs no look-up of its keys, neither when it begins nor when it ends:
/// they are put into the table only once another one begins.
class Refreshes {
 public:
  /// Takes over into `batch`, which is empty and must stay where it is until its end, those of
  /// `keys` that no other batch has. Returns their places in `keys`.
  [[nodiscard]] std::vector<std::size_t> begin(RefreshKeys& batch,
                                               std::span<const std::string_view> keys);
  /// Once for each batch that took over any key.
  void end(const RefreshKeys& batch);

 private:
  base::Mutex mutex_;
  const RefreshKeys* newest_ ASHMEMO_GUARDED_BY(mutex_) = nullptr;  // not in the table yet
  std::unordered_set<std::string_view> table_ ASHMEMO_GUARDED_BY(mutex_);
};

}  // namespace ashmemo::engine
