#include "engine/refreshes.hpp"

namespace ashmemo::engine {

std::vector<std::size_t> Refreshes::begin(RefreshKeys& batch,
                                          std::span<const std::string_view> keys) {
  std::vector<std::size_t> taken;
  taken.reserve(keys.size());
  std::size_t bytes = 0;
  for (const std::string_view key : keys) bytes += key.size();
  batch.reserve(keys.size(), bytes);

  const base::Lock lock(mutex_);
  if (newest_ != nullptr) {
    for (std::size_t i = 0; i < newest_->size(); ++i) table_.insert((*newest_)[i]);
    newest_ = nullptr;
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!table_.empty() && table_.contains(keys[i])) continue;
    batch.add(keys[i]);
    taken.push_back(i);
  }
  if (!taken.empty()) newest_ = &batch;
  return taken;
}

void Refreshes::end(const RefreshKeys& batch) {
  const base::Lock lock(mutex_);
  if (newest_ == &batch) newest_ = nullptr;  // some may be in the table: memory may have run out
  if (table_.empty()) return;
  for (std::size_t i = 0; i < batch.size(); ++i) table_.erase(batch[i]);
}

}  // namespace ashmemo::engine
