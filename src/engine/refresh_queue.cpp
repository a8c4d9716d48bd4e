#include "engine/refresh_queue.hpp"

namespace ashmemo::engine {

/// A task of the executor. If the executor drops it, its destructor drops a batch.
class RefreshQueue::Task {
 public:
  explicit Task(std::shared_ptr<RefreshQueue> queue) : queue_(std::move(queue)) {}
  ~Task() {
    if (is_counted_) queue_->lose_task();
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// The queue has counted it as posted.
  void count() noexcept { is_counted_ = true; }
  [[nodiscard]] bool is_counted() const noexcept { return is_counted_; }
  void run() {
    if (std::exchange(is_counted_, false)) queue_->run_newest();
  }

 private:
  const std::shared_ptr<RefreshQueue> queue_;
  bool is_counted_ = false;
};

std::vector<std::size_t> RefreshQueue::begin(RefreshBatch& batch,
                                             std::span<const std::string_view> keys) {
  std::vector<std::size_t> taken;
  taken.reserve(keys.size());
  std::size_t bytes = 0;
  for (const std::string_view key : keys) bytes += key.size();
  batch.keys_.reserve(keys.size(), bytes);
  const base::Lock lock(mutex_);
  const std::uint64_t before = last_place_;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (const auto found = keys_.find(keys[i]); found != keys_.end()) {
      // Moves each batch once, even if it has many of the keys.
      if (found->second.batch->place_ <= before) to_front_locked(*found->second.batch);
      continue;
    }
    batch.keys_.add(keys[i]);
    keys_.emplace(batch.keys_[batch.keys_.size() - 1], Key{&batch, false});
    taken.push_back(i);
  }
  return taken;
}

void RefreshQueue::to_front_locked(RefreshBatch& batch) {
  if (batch.place_ == 0) return;  // it runs, or its records are being copied
  auto& waiting = lanes_.at(batch.calculation_).waiting;
  auto node = waiting.extract(batch.place_);
  node.key() = batch.place_ = ++last_place_;
  waiting.insert(std::move(node));
}

std::vector<bool> RefreshQueue::removed_since_begin(const RefreshBatch& batch) const {
  std::vector<bool> removed(batch.keys_.size());
  const base::Lock lock(mutex_);
  for (std::size_t i = 0; i < removed.size(); ++i) {
    removed[i] = keys_.at(batch.keys_[i]).is_removed;
  }
  return removed;
}

// The key may belong to another batch: it was released before, or memory ran out in `begin`.
void RefreshQueue::release_locked(const RefreshBatch& batch, std::string_view key) noexcept {
  const auto found = keys_.find(key);
  if (found != keys_.end() && found->second.batch == &batch) keys_.erase(found);
}

void RefreshQueue::release(const RefreshBatch& batch, std::string_view key) noexcept {
  const base::Lock lock(mutex_);
  release_locked(batch, key);
}

void RefreshQueue::end(const RefreshBatch& batch) noexcept {
  const base::Lock lock(mutex_);
  for (std::size_t i = 0; i < batch.keys_.size(); ++i) release_locked(batch, batch.keys_[i]);
}

void RefreshQueue::removed(std::string_view key) {
  const base::Lock lock(mutex_);
  if (const auto found = keys_.find(key); found != keys_.end()) found->second.is_removed = true;
}

void RefreshQueue::removed_prefix(std::string_view prefix) {
  const base::Lock lock(mutex_);
  for (auto at = keys_.lower_bound(prefix); at != keys_.end() && at->first.starts_with(prefix);
       ++at) {
    at->second.is_removed = true;
  }
}

void RefreshQueue::add(BatchPtr batch) {
  std::vector<BatchPtr> over;  // destroyed after the mutex is released
  auto task = std::make_shared<Task>(shared_from_this());
  {
    const base::Lock lock(mutex_);
    if (is_closed_) return;
    Lane& lane = lanes_[batch->calculation_];
    const std::uint64_t place = ++last_place_;
    const std::size_t records = batch->keys_.size();
    RefreshBatch& added = *lane.waiting.emplace(place, std::move(batch)).first->second;
    added.place_ = place;
    lane.records += records;
    ++waiting_;
    while (lane.records > kMaxRecords && lane.waiting.size() > 1) {
      over.push_back(take_locked(lane, lane.waiting.begin()->first));
    }
    if (needs_task_locked()) task->count();
  }
  for (const BatchPtr& one : over) dropped_.add(static_cast<std::int64_t>(one->keys_.size()));
  post(std::move(task));
}

/// Returns whether a task must be posted, and counts it. Each waiting batch has a task, with one
/// exception: a task ends without work if too many batches of the calculation run. A running batch
/// then posts a task when it finishes.
bool RefreshQueue::needs_task_locked() {
  if (tasks_ >= waiting_) return false;
  ++tasks_;
  return true;
}

RefreshQueue::BatchPtr RefreshQueue::take_locked(Lane& lane, std::uint64_t place) {
  BatchPtr batch = std::move(lane.waiting.extract(place).mapped());
  lane.records -= batch->keys_.size();
  batch->place_ = 0;
  --waiting_;
  return batch;
}

// A lane exists only while its calculation has batches, because each task looks at all lanes.
void RefreshQueue::erase_if_empty_locked(Lanes::iterator lane) {
  if (lane->second.running == 0 && lane->second.waiting.empty()) lanes_.erase(lane);
}

void RefreshQueue::post(std::shared_ptr<Task> task) {
  if (!task->is_counted()) return;
  executor_.post([task = std::move(task)] { task->run(); });
}

RefreshQueue::BatchPtr RefreshQueue::begin_newest() {
  const base::Lock lock(mutex_);
  --tasks_;
  Lane* newest = nullptr;
  for (auto& [calculation, lane] : lanes_) {
    if (lane.waiting.empty() || lane.running >= kMaxRunning) continue;
    const bool is_newer =
        newest == nullptr || lane.waiting.rbegin()->first > newest->waiting.rbegin()->first;
    if (is_newer) newest = &lane;
  }
  if (newest == nullptr) return nullptr;
  ++newest->running;
  return take_locked(*newest, newest->waiting.rbegin()->first);
}

void RefreshQueue::run_newest() {
  BatchPtr batch = begin_newest();
  if (batch == nullptr) return;
  /// Its destructor also runs if the calculation ends the thread.
  struct Finish {
    RefreshQueue& queue;
    BatchPtr& batch;
    ~Finish() { queue.finish(std::move(batch)); }
  };
  const Finish finish{*this, batch};
  batch->run();
}

void RefreshQueue::finish(BatchPtr batch) noexcept {
  if (process_.is_forked_child()) return;  // a thread of the parent may have locked the mutex
  {
    const base::Lock lock(mutex_);
    const auto lane = lanes_.find(batch->calculation_);
    --lane->second.running;
    erase_if_empty_locked(lane);
  }
  try {
    auto task = std::make_shared<Task>(shared_from_this());
    {
      const base::Lock lock(mutex_);
      if (!needs_task_locked()) return;
      task->count();
    }
    post(std::move(task));
  } catch (...) {  // no memory or no thread: `~Task` drops a batch, and a later load asks again
  }
}

void RefreshQueue::lose_task() noexcept {
  if (process_.is_forked_child()) return;
  BatchPtr oldest;  // destroyed after the mutex is released
  const base::Lock lock(mutex_);
  if (--tasks_ >= waiting_) return;
  auto found = lanes_.end();
  for (auto at = lanes_.begin(); at != lanes_.end(); ++at) {
    const auto& waiting = at->second.waiting;
    if (waiting.empty()) continue;
    const bool is_older =
        found == lanes_.end() || waiting.begin()->first < found->second.waiting.begin()->first;
    if (is_older) found = at;
  }
  if (found == lanes_.end()) return;
  oldest = take_locked(found->second, found->second.waiting.begin()->first);
  erase_if_empty_locked(found);
  dropped_.add(static_cast<std::int64_t>(oldest->keys_.size()));
}

void RefreshQueue::close() {
  std::vector<BatchPtr> dropped;  // destroyed after the mutex is released
  const base::Lock lock(mutex_);
  is_closed_ = true;
  dropped.reserve(waiting_);
  for (auto& [calculation, lane] : lanes_) {
    while (!lane.waiting.empty()) {
      dropped.push_back(take_locked(lane, lane.waiting.begin()->first));
    }
  }
}

}  // namespace ashmemo::engine
