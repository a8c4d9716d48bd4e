#pragma once

#include <ashmemo/ashmemo.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "faults/document.hpp"
#include "faults/drafts.hpp"
#include "faults/troubles.hpp"
#include "support/cache_fixture.hpp"
#include "support/fault_vfs.hpp"
#include "support/manual_executor.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {

/// A clock for tests that wait for a failing store. The wall clock moves only when the test
/// advances it. The steady clock moves with each reading, so that a wait ends without sleeping.
class TickingClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_now() const noexcept override { return wall_; }
  [[nodiscard]] std::int64_t steady_now() const noexcept override { return steady_ += kTick; }
  void advance(Duration by) noexcept {
    wall_ += by.count();
    steady_ += by.count();
  }

 private:
  static constexpr std::int64_t kTick = 50'000;
  std::atomic<std::int64_t> wall_{1'700'000'000'000'000};
  mutable std::atomic<std::int64_t> steady_{0};
};

/// The file that an operation begins with.
enum class File : std::uint8_t {
  none,
  filled,   ///< see Trial
  crashed,  ///< the same content after its process was killed: most of it is in the log
  damaged,  ///< its beginning was overwritten, and a copy of an older damaged file is beside it
};

/// A cache with its own file. It compares every result with the stored values. The file contains
/// the texts old0 to old29, the long texts long0 to long4, the texts due0 to due5, which expire
/// after an hour, and results for eight documents. The worker is manual.
class Trial {
 public:
  Trial(File file, Options options);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  /// The worker and the refreshes use threads from now on. Call it before the cache is opened.
  void use_threads();
  /// Returns the cache. Opens it with the current `options` if it is not open.
  Cache& cache();
  void close();

  // Calls with checked results. A result must be correct; it may be a miss only if a fault is
  // active.
  void get(const std::string& key);
  void get_many(const std::vector<std::string>& keys);
  /// Calls `entry` and `contains`.
  void check_entry(const std::string& key);
  bool put(const std::string& key, PutOptions put_options = {});
  void put_many(const std::vector<std::string>& keys, PutOptions put_options = {});
  void get_or_compute(const std::string& key);
  void get_or_compute_many(const std::vector<std::string>& keys);
  void erase(const std::string& key);
  void erase_many(const std::vector<std::string>& keys);
  void erase_prefix(const std::string& prefix);
  void clear();
  void for_each();
  void for_each_value();
  /// Returns whether it succeeded. Then all accepted writes are in the file.
  bool flush();
  /// Runs a call of the administration and returns whether it succeeded. The test fails if the call
  /// throws an Error that the documentation does not list.
  bool administer(const std::function<void()>& call);

  // Calculations. Their results must always be correct.
  Registry& registry();
  /// Declares the resource and its calculations, if they are not declared yet.
  Resource<Document>& resource();
  [[nodiscard]] const Calculation<Document, std::int64_t>& sum();
  /// Its results are fresh for an hour and then stale for an hour.
  [[nodiscard]] const Calculation<Document, std::int64_t>& product();
  void load(const std::vector<Document>& page);
  [[nodiscard]] Drafts& drafts() { return drafts_; }

  /// Whether removed entries may have returned, because the cache reported a removal as uncommitted
  /// and the file was opened again.
  [[nodiscard]] bool may_have_returned() const;
  /// Whether a quarantined file is beside the file.
  [[nodiscard]] bool was_quarantined() const;
  /// Whether the file, without its log, contains the bytes.
  [[nodiscard]] bool file_holds(const std::string& bytes) const;

  /// Checks, while the fault is active, that the cache reports its state equally with health() and
  /// to the hook. Does nothing if the operation has closed the cache.
  void expect_reported_while_failing();
  /// Checks, after the fault has ended, that the cache recovers by itself, reports that, has all
  /// entries that it must keep, accepts new entries and has a sound file. Checks this again after
  /// reopening.
  void expect_healed(bool may_be_quarantined);

  const TempDir dir;
  const std::string path = dir.path("cache.db");
  std::shared_ptr<TickingClock> clock = std::make_shared<TickingClock>();
  std::shared_ptr<ManualExecutor> executor = std::make_shared<ManualExecutor>();
  Heard heard;
  Options options;
  std::uint32_t version = 1;  // of the calculations
  bool nothing_fails = true;  // then a read of a kept entry must hit
  bool may_lose = false;      // see Operation

 private:
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

  struct Known {
    std::set<std::string> current;  // values that a read may return
    std::set<std::string> earlier;
    bool removed = false;  // the last change removed the entry
    bool kept = false;     // the cache accepted the last value
    bool in_file = false;  // the cache confirmed that it is in the file
    std::int64_t until = kForever;
  };

  // The stored values, and the checks of results against them.
  [[nodiscard]] std::string next_value(const std::string& key);
  Known& stored(const std::string& key, const std::string& value, bool accepted,
                const PutOptions& put_options = {});
  static void removed(Known& known);
  void removed_prefix(const std::string& prefix);
  void flushed();
  void expect_correct(const std::string& key, const std::optional<std::string>& answer);
  void expect_missing(const std::string& key);
  void expect_all_in(const std::set<std::string>& seen);
  [[nodiscard]] bool is_correct(const std::string& key, const std::string& answer);
  [[nodiscard]] bool may_be_there(const std::string& key);
  [[nodiscard]] bool must_be_there(const std::string& key);
  [[nodiscard]] bool lost_writes();
  [[nodiscard]] bool lost_accepted_writes();

  Health try_to_work();
  /// The faults that the open cache has reported.
  [[nodiscard]] Troubles troubles() const;
  void recover();
  void expect_sound();
  void expect_all_correct();
  void expect_results_kept();

  std::map<std::string, Known> known_;
  int generation_ = 0;
  bool reopened_ = false;
  bool lost_writes_ = false;
  bool lost_accepted_writes_ = false;
  std::int64_t not_accepted_ = 0;   // puts since the cache was opened
  std::size_t notices_before_ = 0;  // notices of previous caches
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Registry> registry_;
  Resource<Document>* resource_ = nullptr;
  Calculation<Document, std::int64_t> sum_;
  Calculation<Document, std::int64_t> product_;
  bool was_declared_ = false;
  Drafts drafts_{*this};
};

}  // namespace ashmemo::test
