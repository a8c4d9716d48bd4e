#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "engine/counters.hpp"
#include "engine/failed_records.hpp"
#include "engine/time.hpp"
#include "store/rows.hpp"

namespace ashmemo::engine {

/// The counters of one calculation. The worker adds them to the calculation's row.
using CalculationCounters = store::CalculationCounts<Counter>;

/// One calculation as this process knows it. Its results have `id` in the file. A new id makes all
/// older results invisible at once, at the same cost for ten results and for ten million.
struct CalculationState {
  std::string resource;
  std::string name;
  std::int64_t version = 0;
  std::string policy;       // for people who read the file
  std::string result_type;  // with the arguments' types
  std::atomic<std::int64_t> id{0};
  bool is_renewed = false;                    // by this process; guarded by the catalog's mutex
  std::atomic<bool> is_touched{true};         // whether its reads are marked
  FailedRecords failed_records;               // those that failed while older values answer
  std::atomic<bool> failure_reported{false};  // since the last moment when no record was failing
  store::CalculationRow at_open;              // the counters before this process
  CalculationCounters since_open;
  CalculationCounters unwritten;  // not yet in the file
};
using CalculationPtr = std::shared_ptr<CalculationState>;

/// The calculations of the file and of this process, and which of their ids are current.
///
/// Threads: any. Its mutex is the last one that a thread takes.
class Catalog {
 public:
  /// A file has no more calculations than this, apart from retired ones. A new calculation then
  /// retires the one with the fewest reads that this process does not use. Otherwise a program with
  /// new names in each run would let the table grow for ever. 10,000 rows take 2 MiB.
  static constexpr std::size_t kMaxCalculations = 10'000;

  /// `writes`: new ids will be written to the file. Otherwise new ids are larger than any id in a
  /// file, because another program may give the next id to another calculation.
  explicit Catalog(bool writes = true);

  /// Takes over the rows of the file, at each opening. Returns the rows that must be written to it
  /// before any entry, or given back. At the first opening there are none. Later these are the rows
  /// of this process that the file lacks. A calculation that the new file has with the same version
  /// takes the id of the file. Results that were retired here stay retired.
  [[nodiscard]] std::vector<store::CalculationRow> load(
      const std::vector<store::CalculationRow>& rows);

  /// The state of a calculation. If the file has another version of it, newer or older, or another
  /// type of results, the calculation gets a new id and the old one is retired. A row of a file of
  /// format 1 has no type and gets this one. Throws Error (misuse) if this process already uses
  /// another version or type, or kMaxCalculations other calculations.
  [[nodiscard]] CalculationPtr add(std::string_view resource, std::string_view name,
                                   std::int64_t version, std::string_view policy,
                                   std::string_view result_type = {});
  /// Gives the calculation a new id, so that all its results become invisible. An old id that was
  /// never written is dropped at once, because the file has no results of it.
  void renew(const CalculationPtr& calculation);

  /// Whether a row changed since it was last written to the file.
  [[nodiscard]] bool has_unwritten() const;
  /// Takes these rows. The writer must write them before any entry, at the latest in the same
  /// transaction.
  [[nodiscard]] std::vector<store::CalculationRow> take_unwritten();
  /// The rows could not be written and will be taken again.
  void give_back_unwritten(std::span<const store::CalculationRow> rows);

  /// Whether entries with this id may answer. Always true for 0, the id of direct puts.
  [[nodiscard]] bool is_current(std::int64_t id) const { return id == 0 || has_current(id); }
  /// The rows whose entries the worker must delete.
  [[nodiscard]] std::vector<store::CalculationRow> retired() const;
  [[nodiscard]] std::size_t retired_count() const;
  /// Forgets these ids, because all their entries are deleted.
  void drop_retired(std::span<const std::int64_t> ids);

  /// The file's row of a calculation, of any version; an empty row if it has none.
  [[nodiscard]] store::CalculationRow row_of(const std::string& resource,
                                             const std::string& name) const;
  [[nodiscard]] std::vector<CalculationPtr> calculations() const;
  /// The counters since the last call, by id. They are already part of rows that are taken later.
  [[nodiscard]] std::vector<store::CalculationRow> take_counters();
  /// The counters could not be written and will be taken again.
  void give_back_counters(std::span<const store::CalculationRow> counted);

 private:
  using Name = std::pair<std::string, std::string>;  // resource, calculation
  using Rows = std::vector<store::CalculationRow>;
  using Names = std::map<std::int64_t, Name>;  // by id
  using RowsByName = std::map<Name, store::CalculationRow>;
  using RowsById = std::map<std::int64_t, store::CalculationRow>;

  [[nodiscard]] bool has_current(std::int64_t id) const;
  void renew_locked(const CalculationPtr& calculation) ASHMEMO_REQUIRES(mutex_);
  void make_space_locked() ASHMEMO_REQUIRES(mutex_);
  void retire_locked(const store::CalculationRow& row) ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] static store::CalculationRow as_retired(store::CalculationRow row);
  [[nodiscard]] bool may_answer_locked(const CalculationState& state,
                                       const store::CalculationRow& own,
                                       const store::CalculationRow& in_file) const
      ASHMEMO_REQUIRES(mutex_);
  [[nodiscard]] Rows load_locked(const Rows& rows, const RowsByName& rows_before,
                                 const RowsById& retired_before) ASHMEMO_REQUIRES(mutex_);
  void keep_retired_locked(const RowsById& before, const Names& in_file, Rows& unwritten)
      ASHMEMO_REQUIRES(mutex_);
  void assign_id_locked(CalculationState& state, store::CalculationRow row, const Names& in_file,
                        Rows& unwritten) ASHMEMO_REQUIRES(mutex_);
  static void add(store::CalculationRow& row, const store::CalculationRow& delta,
                  std::int64_t sign) noexcept;

  const bool writes_;
  mutable base::Mutex mutex_ ASHMEMO_LOCK_LEVEL(5);
  RowsByName rows_ ASHMEMO_GUARDED_BY(mutex_);  // the current rows
  std::map<Name, CalculationPtr> states_ ASHMEMO_GUARDED_BY(mutex_);
  RowsById retired_ ASHMEMO_GUARDED_BY(mutex_);
  std::set<std::int64_t> current_ ASHMEMO_GUARDED_BY(mutex_);    // ids of rows_
  std::set<std::int64_t> unwritten_ ASHMEMO_GUARDED_BY(mutex_);  // ids of changed rows
  std::set<std::int64_t> fresh_
      ASHMEMO_GUARDED_BY(mutex_);  // unwritten ids that no writer ever took
  std::int64_t last_id_ ASHMEMO_GUARDED_BY(mutex_);
};

}  // namespace ashmemo::engine
