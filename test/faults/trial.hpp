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

/// Stands still for lifetimes and moves with each look for waits, so that what waits for a store
/// that fails gives up without sleeping.
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

/// What an operation is tried on.
enum class File : std::uint8_t {
  none,
  filled,   ///< see Trial
  crashed,  ///< the same, as a process leaves it that was killed: most of it in the log
};

/// A cache on a file of its own, whose answers are checked against what was stored. The file has
/// the texts old0 to old29, the long texts long0 to long4, due0 to due5, whose time is over after
/// an hour, and results for eight documents. Without a thread: whoever asks does the work.
class Trial {
 public:
  Trial(File file, Options options);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  /// Opens it, if it is not open. With `options` as they are now.
  Cache& cache();
  void close();

  // Calls whose answers are checked: right, or a miss where something fails.
  void get(const std::string& key);
  void get_many(const std::vector<std::string>& keys);
  /// Without its value.
  void look_at(const std::string& key);
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
  /// True: it was done, and what was taken so far is in the file.
  bool flush();
  /// True: it was done. What administration may say when the store cannot do it; anything else is a
  /// fault.
  bool administer(const std::function<void()>& call);

  // Calculations, whose results must always be right.
  Registry& registry();
  /// Declares them, if they are not yet declared.
  Resource<Document>& resource();
  [[nodiscard]] const Calculation<Document, std::int64_t>& sum();
  /// Served stale for an hour after its hour.
  [[nodiscard]] const Calculation<Document, std::int64_t>& product();
  void load(const std::vector<Document>& page);
  [[nodiscard]] Drafts& drafts() { return drafts_; }

  /// What a removal took away may be back: it could not be committed, that was announced, and the
  /// file was opened again.
  [[nodiscard]] bool may_be_back() const;
  /// Whether the bytes are in the file, without its log.
  [[nodiscard]] bool file_holds(const std::string& bytes) const;

  /// What fails goes on failing, and the cache tries to work: it must say how it is, by health()
  /// and to the hook alike. Unless the operation has closed it.
  void expect_told_while_failing();
  /// Nothing fails any more: the cache must find back by itself, say so, have what it was to keep,
  /// keep what it is given, and be in order, now and after closing and opening it.
  void expect_healed(bool may_be_quarantined);

  const TempDir dir;
  const std::string path = dir.path("cache.db");
  std::shared_ptr<TickingClock> clock = std::make_shared<TickingClock>();
  std::shared_ptr<ManualExecutor> executor = std::make_shared<ManualExecutor>();
  Heard heard;
  Options options;
  std::uint32_t version = 1;  // of the calculations
  bool nothing_fails = true;  // then nothing is missed that was kept
  bool may_lose = false;      // as Operation's

 private:
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

  struct Known {
    std::set<std::string> current;  // what a read may answer
    std::set<std::string> earlier;
    bool removed = false;  // the last change was that
    bool kept = false;     // the cache took the last value
    bool in_file = false;  // and said that it is there
    std::int64_t until = kForever;
  };

  // What was stored, and what follows from it.
  [[nodiscard]] std::string next_value(const std::string& key);
  Known& stored(const std::string& key, const std::string& value, bool taken,
                const PutOptions& put_options = {});
  static void removed(Known& known);
  void removed_prefix(const std::string& prefix);
  void flushed();
  void expect_right(const std::string& key, const std::optional<std::string>& answer);
  void expect_missing(const std::string& key);
  void expect_all_in(const std::set<std::string>& seen);
  [[nodiscard]] bool is_right(const std::string& key, const std::string& answer);
  [[nodiscard]] bool may_be_there(const std::string& key);
  [[nodiscard]] bool must_be_there(const std::string& key);
  [[nodiscard]] bool lost_writes();
  [[nodiscard]] bool lost_taken_writes();

  Health try_to_work();
  /// What the cache that is open has told.
  [[nodiscard]] Troubles troubles() const;
  void recover();
  void expect_in_order();
  void expect_everything_right();
  void expect_results_kept();
  [[nodiscard]] bool was_quarantined() const;

  std::map<std::string, Known> known_;
  int generation_ = 0;
  bool reopened_ = false;
  bool lost_writes_ = false;
  bool lost_taken_writes_ = false;
  std::int64_t not_taken_ = 0;    // puts, since the cache was opened
  std::size_t heard_before_ = 0;  // of earlier ones
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Registry> registry_;
  Resource<Document>* resource_ = nullptr;
  Calculation<Document, std::int64_t> sum_;
  Calculation<Document, std::int64_t> product_;
  bool was_declared_ = false;
  Drafts drafts_{*this};
};

}  // namespace ashmemo::test
