#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ashmemo/clock.hpp>
#include <ashmemo/options.hpp>

#include "engine/engine.hpp"
#include "engine/reading.hpp"
#include "engine/submit.hpp"
#include "maintenance/worker.hpp"
#include "support/fake_store.hpp"
#include "support/faulty_store.hpp"

namespace ashmemo::test {

/// The notices and removals that one cache passed to its hooks.
struct Recorded {
  std::vector<Notice> notices;
  std::vector<std::pair<std::string, RemovalCause>> removals;

  [[nodiscard]] int count(NoticeKind kind) const;
};

/// An engine and its worker on a fake file whose stores can fail. The clocks move only when the
/// test advances them. It is in manual mode unless the options change that, and open() opens it.
/// `path` is only a name.
class FakeEngine {
 public:
  explicit FakeEngine(Options options = manual(), const std::string& path = "fake.db");
  ~FakeEngine();
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  /// Options for manual mode, with limits that no test reaches and very short waits.
  [[nodiscard]] static Options manual();

  base::Status open() { return worker.open(); }
  /// As Core::close.
  void close();

  /// Puts texts. Returns the number of accepted entries.
  std::size_t put(std::string_view key, std::string_view value, engine::Lifetimes lifetimes = {});
  std::size_t put_all(const std::vector<std::string>& keys, std::string_view value);
  std::size_t erase(std::string_view key);
  /// The text that a reader gets; nullopt on a miss.
  [[nodiscard]] std::optional<std::string> get(std::string_view key);
  [[nodiscard]] engine::Answer ask(const engine::Query& query);
  [[nodiscard]] HealthState health() const;
  /// Queues a removal of all keys with the prefix, or of all keys if it is empty. Does not wait.
  engine::RangePtr queue_removal(std::string_view prefix);

  const std::shared_ptr<Recorded> recorded;
  const std::shared_ptr<ManualClock> clock;
  const std::shared_ptr<FakeFile> file;
  const std::shared_ptr<Faults> faults;
  engine::Engine engine;
  maintenance::Worker worker;

 private:
  FakeEngine(Options options, const std::string& path, std::shared_ptr<Recorded> recorded,
             std::shared_ptr<ManualClock> clock);
};

/// A worker that does nothing. For tests of an engine without a worker.
class NoWorker final : public engine::WorkerControl {
 public:
  void wake() noexcept override { ++wakes; }
  void wake_now() noexcept override { ++wakes_now; }
  bool run_pending_now() override { return false; }
  void follow() noexcept override {}
  [[nodiscard]] bool is_in_hook() const noexcept override { return in_hook; }

  std::atomic<int> wakes{0};
  std::atomic<int> wakes_now{0};
  std::atomic<bool> in_hook{false};
};

[[nodiscard]] engine::WritePtr text_write(std::string_view key, std::string_view text,
                                          std::int64_t byte_size = 100);
[[nodiscard]] engine::WritePtr removal(std::string_view key);

/// `base`1 to `base``count`, with leading zeros, so that the keys sort by number.
[[nodiscard]] std::vector<std::string> numbered(std::string_view base, int count);

}  // namespace ashmemo::test
