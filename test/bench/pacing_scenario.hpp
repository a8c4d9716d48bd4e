#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ashmemo/cache.hpp>
#include <ashmemo/clock.hpp>

#include "bench/scratch_directory.hpp"

namespace ashmemo::bench {

/// The clocks of the machine; `jump` sets them forward.
class JumpingClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_now() const noexcept override;
  [[nodiscard]] std::int64_t steady_now() const noexcept override;
  void jump(Duration by) noexcept { ahead_ += by.count(); }

 private:
  const std::shared_ptr<Clock> system_ = system_clock();
  std::atomic<std::int64_t> ahead_{0};
};

/// A full cache from which the worker deletes most entries. Only the limits differ from the
/// defaults.
class Scenario {
 public:
  virtual ~Scenario() = default;
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;

  [[nodiscard]] Cache& cache() { return cache_; }
  [[nodiscard]] virtual const char* name() const = 0;
  /// The reader chooses among these keys with equal probability.
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }
  /// Makes `to_delete()` entries due for deletion by the worker.
  virtual void begin() = 0;
  [[nodiscard]] std::int64_t to_delete() const { return to_delete_; }
  [[nodiscard]] virtual std::int64_t deleted() const = 0;

 protected:
  Scenario(const Limits& limits, std::size_t to_delete);

  const std::shared_ptr<JumpingClock> clock_ = std::make_shared<JumpingClock>();
  const ScratchDirectory directory_;
  Cache cache_;
  std::vector<std::string> keys_;
  std::int64_t to_delete_;
};

/// All these entries expire at once. The reader reads other entries, one tenth as many, whose keys
/// are between theirs.
[[nodiscard]] std::unique_ptr<Scenario> expiring_together(std::size_t entries);
/// The limit is lowered to a thousandth. The reader reads all keys, also of deleted entries.
[[nodiscard]] std::unique_ptr<Scenario> lowered_limit(std::size_t entries);

}  // namespace ashmemo::bench
