#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "engine/counters.hpp"
#include "engine/time.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

/// What is counted for one calculation; the worker adds it to the calculation's row.
struct CalculationCounters {
  Counter hits, stale_hits, misses, computed, failed, saved_us;
};

/// One calculation as this process knows it. Its results carry `id` in the file: a new id makes all
/// older results invisible at once, at the same cost for ten and for ten million.
struct CalculationState {
  std::string resource;
  std::string name;
  std::int64_t version = 0;
  std::string policy;  // for people
  std::atomic<std::int64_t> id{0};
  bool is_renewed = false;                    // by this process; guarded by the catalog
  std::atomic<bool> is_touched{true};         // by reads
  BackOff back_off;                           // of runs that stale values can stand in for
  std::atomic<bool> failure_reported{false};  // since the last run that succeeded
  store::CalculationRow at_open;              // what was counted before
  CalculationCounters since_open;
  CalculationCounters unwritten;  // not yet in the file
};
using CalculationPtr = std::shared_ptr<CalculationState>;

/// The calculations of the file and of this process, and which of their ids are current.
class Catalog {
 public:
  /// `tells`: new ids will be told to the file. Otherwise they are such as no file has, for another
  /// program may give out the next one.
  explicit Catalog(bool tells = true);

  /// What the file says, at opening and whenever it is read anew. The answer is what it must be
  /// told, before any entry is written to it: nothing at the first opening; later, when it is
  /// another file than before, all that this process calculates. Calculations that the new file
  /// knows by the same version take its ids; results that were retired here stay so.
  [[nodiscard]] std::vector<store::CalculationRow> load(
      const std::vector<store::CalculationRow>& rows);

  /// A calculation's state. Another version than the file's, newer or older, gets a new id and
  /// retires the old one. A version other than the one this process uses already is an Error
  /// (misuse).
  [[nodiscard]] CalculationPtr add(std::string_view resource, std::string_view name,
                                   std::int64_t version, std::string_view policy);
  /// Gives the calculation a new id: all its results become invisible. An id that no writer was
  /// told of is forgotten at once: the file has nothing of it.
  void renew(const CalculationPtr& calculation);

  /// Whether there are rows that the file was not told of, as they are now.
  [[nodiscard]] bool has_undelivered() const;
  /// These rows: the writer puts them before any entry, in the same transaction at the latest.
  [[nodiscard]] std::vector<store::CalculationRow> take_undelivered();
  /// They could not be written: they are taken again.
  void give_back_undelivered(std::span<const store::CalculationRow> rows);

  /// Whether entries with this id may answer. 0 (put directly) always may.
  [[nodiscard]] bool is_current(std::int64_t id) const;
  /// Rows whose entries are to be deleted.
  [[nodiscard]] std::vector<store::CalculationRow> retired() const;
  [[nodiscard]] bool has_retired() const;
  void forget(std::span<const std::int64_t> retired);

  /// What the file has of a calculation, of whatever version; an empty row: nothing.
  [[nodiscard]] store::CalculationRow row_of(const std::string& resource,
                                             const std::string& name) const;
  [[nodiscard]] std::vector<CalculationPtr> calculations() const;
  /// What was counted since the last call, by id. A row that is told later has it already.
  [[nodiscard]] std::vector<store::CalculationRow> take_counters();
  /// It could not be written: it is taken again.
  void give_back_counters(std::span<const store::CalculationRow> counted);

 private:
  using Name = std::pair<std::string, std::string>;  // resource, calculation
  using Rows = std::vector<store::CalculationRow>;
  using Names = std::map<std::int64_t, Name>;  // by id

  void renew_locked(const CalculationPtr& calculation) ASHMEMO_REQUIRES(mutex_);
  void retire_locked(const store::CalculationRow& row) ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] static store::CalculationRow as_retired(store::CalculationRow row);
  [[nodiscard]] bool may_answer_locked(const CalculationState& state,
                                       const store::CalculationRow& own,
                                       const store::CalculationRow& in_file) const
      ASHMEMO_REQUIRES(mutex_);
  void keep_retired_locked(const std::map<std::int64_t, store::CalculationRow>& before,
                           const Names& in_file, Rows& undelivered) ASHMEMO_REQUIRES(mutex_);
  void settle_locked(CalculationState& state, store::CalculationRow row, const Names& in_file,
                     Rows& undelivered) ASHMEMO_REQUIRES(mutex_);
  static void add(store::CalculationRow& row, const store::CalculationRow& delta,
                  std::int64_t sign) noexcept;

  const bool tells_;
  mutable base::Mutex mutex_;
  std::map<Name, store::CalculationRow> rows_ ASHMEMO_GUARDED_BY(mutex_);  // the current ones
  std::map<Name, CalculationPtr> states_ ASHMEMO_GUARDED_BY(mutex_);
  std::map<std::int64_t, store::CalculationRow> retired_ ASHMEMO_GUARDED_BY(mutex_);
  std::unordered_set<std::int64_t> current_ ASHMEMO_GUARDED_BY(mutex_);  // ids of rows_
  std::set<std::int64_t> undelivered_ ASHMEMO_GUARDED_BY(mutex_);        // ids to tell the file of
  std::set<std::int64_t> fresh_ ASHMEMO_GUARDED_BY(mutex_);  // of these, no writer ever had
  std::int64_t last_id_ ASHMEMO_GUARDED_BY(mutex_);
};

}  // namespace ashmemo::engine
