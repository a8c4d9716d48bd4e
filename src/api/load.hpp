#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/clock.hpp>
#include <ashmemo/detail/core.hpp>
#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/value.hpp>

#include "api/load_claims.hpp"
#include "engine/engine.hpp"
#include "engine/freshness.hpp"
#include "engine/reading.hpp"
#include "engine/refresh_queue.hpp"
#include "engine/submit.hpp"

namespace ashmemo::api {

/// How the results of a run are stored.
struct Keeping {
  /// The id that the calculation had before the look-up. If the calculation is invalidated during
  /// the load, the results have the old id and never answer. 0: the results are stored as direct
  /// puts.
  std::int64_t calculation_id = 0;
  engine::Lifetimes something;
  std::optional<engine::Lifetimes> nothing;  // of results that are "nothing"; nullopt: not stored
};

/// One calculation of a load, or the loader of a get_or_compute.
struct LoadRun {
  detail::PageRun* run = nullptr;
  detail::CalculationRun* registered = nullptr;  // equals `run`; null for a loader
  bool one_call = true;                          // computes all its records in one call
  std::optional<Keeping> keeping;                // nullopt: not cached
  std::size_t first_query = 0;                   // if cached: the query of record 0
  std::string_view scope;                        // of its keys: "@acme"
};

/// One result that was computed.
struct Computed {
  std::size_t run = 0;
  std::size_t record = 0;
  std::int64_t cost_us = 0;
};

/// One record for which a batch calculation returned Failed.
struct FailedRecord {
  std::size_t run = 0;
  std::size_t record = 0;
  std::string why;
};

/// The outcome of one call of PageRun::compute.
struct ComputeReport {
  std::vector<Computed> computed;
  std::vector<FailedRecord> failed;
  std::exception_ptr thrown;
  std::int64_t failures = 0;  // the number of records without a result, for the counters
};

/// Runs the calculation for these records and measures the time of each. If a batch throws, it has
/// no results; if a single record throws, the results before it remain. Calls `completed` with each
/// result at once.
[[nodiscard]] ComputeReport compute(const Clock& clock, const LoadRun& run, std::size_t number,
                                    std::span<const std::size_t> records,
                                    const std::function<void(const Computed&)>& completed);

/// Gives each value that a read finds to the run of its query, as its result.
class RunSink final : public engine::ValueSink {
 public:
  /// Each run has `records` queries; run 0 has the first ones.
  RunSink(std::vector<detail::PageRun*> runs, std::size_t records)
      : runs_(std::move(runs)), records_(records) {}

  /// Prepares for a read of only these queries, in which the sink takes only fresh values.
  void read_only_again(std::span<const std::size_t> queries) { again_ = queries; }

  bool take(std::size_t index, Freshness freshness, ValueView value) override {
    if (!again_.empty() && freshness != Freshness::fresh) return false;
    const std::size_t query = query_of(index);
    return runs_[query / records_]->decode(query % records_, value);
  }
  [[nodiscard]] bool in_place(std::size_t index) const noexcept override {
    return runs_[query_of(index) / records_]->decodes_in_place();
  }

 private:
  [[nodiscard]] std::size_t query_of(std::size_t index) const noexcept {
    return again_.empty() ? index : again_[index];
  }

  const std::vector<detail::PageRun*> runs_;
  const std::size_t records_;
  std::span<const std::size_t> again_;
};

/// One load: any number of calculations over one page of records, or the keys of a get_or_compute
/// with their loader. It knows keys, versions and values, but not the user's types.
///
/// Every cached run has one query for each record. A query is identified by its number during the
/// whole load. The steps, in this order:
///
///   look_up   reads all queries in one call
///   split     queries with a fresh or stale value have their result; the others are missing
///   distinct  if several queries have the same key and version, for example because a page has a
///             record twice, keeps the first one, their leader; the others are its twins
///   claim     claims the missing queries that no other caller computes, and looks up again what
///             another caller may have stored in between
///   compute   computes the claimed queries, and all records of runs that are not cached. A batch
///             calculation gets one call, and more calls if its last batch threw. Callers that wait
///             get each result as soon as it is there
///   keep      stores all computed results in one write, also if a calculation threw
///   refresh   queues a background batch for the stale queries of each calculation
///   join      waits for the results of other callers, and computes those that it cannot get
///   share     copies the results of leaders to their twins
///
/// Threads: a load belongs to one thread. No mutex is locked while the user's code runs.
///
/// Fork: user code can fork. In the child the load goes on without claims: see after_user_code.
class Load {
 public:
  /// Returns the key of a record's result, for messages.
  using KeyOf = std::function<std::string(const LoadRun& run, std::size_t record)>;

  /// The spans must outlive the load. `queries` has `records` queries for each cached run, in the
  /// order of the runs.
  Load(engine::Engine& engine, std::span<const LoadRun> runs, std::size_t records,
       std::span<const engine::Query> queries, KeyOf key_of, const LoadOptions& options);

  /// Returns the number of computed results. Throws the exception of a calculation.
  std::size_t run();
  /// Recomputes the queries that are still stale, for a background batch with their keys. Skips
  /// keys that were removed since the batch began. It does not throw the exception of a
  /// calculation: it counts and reports the failure, and the records that failed pause. Results of
  /// single records are stored once a second, when a record ends. If a record hangs, the records
  /// after it wait, and so do those that finished less than a second before it.
  void refresh(const engine::RefreshBatch& batch);

 private:
  /// Two queries for the same key and version. Only the first one, the leader, is computed. The
  /// twin gets a copy of its result.
  struct Twin {
    std::size_t leader = 0;
    std::size_t twin = 0;
  };
  /// Records of one run, and the maximum size of their first batch.
  struct Group {
    std::vector<std::size_t> records;
    std::size_t max_batch = 0;
  };

  [[nodiscard]] RunSink sink() const;
  void look_up();
  [[nodiscard]] std::vector<std::size_t> split();
  [[nodiscard]] bool answers_now(std::size_t query);
  void refresh_stale();
  void refresh_run(std::size_t run, std::span<const std::size_t> stale);
  void add_refresh(std::size_t run, std::span<const std::size_t> stale);
  [[nodiscard]] std::vector<std::size_t> copyable(std::size_t run,
                                                  std::span<const std::size_t> stale);
  [[nodiscard]] bool is_paused(std::size_t query) const;
  void pause_failed(std::size_t run, std::span<const std::size_t> records,
                    const ComputeReport& report, std::int64_t began);
  void pause_skipped(std::size_t run, std::span<const std::size_t> records);
  [[nodiscard]] std::span<const std::size_t> records_that_threw(
      std::size_t run, std::span<const std::size_t> records, const ComputeReport& report) const;
  void answer_with_kept(std::size_t run, std::span<const std::size_t> records,
                        ComputeReport& report);
  void report_failure(std::size_t run, const std::string& why);
  /// Whether an older value answers if computing the query fails.
  [[nodiscard]] bool has_kept(std::size_t query) const;
  [[nodiscard]] bool have_kept(std::size_t run, std::span<const std::size_t> records) const;
  [[nodiscard]] std::vector<std::size_t> distinct(const std::vector<std::size_t>& missing);
  [[nodiscard]] std::vector<std::size_t> claim(const std::vector<std::size_t>& missing);
  [[nodiscard]] std::vector<std::size_t> look_again(const std::vector<std::size_t>& wanted);
  void compute(const std::vector<std::size_t>& wanted, bool with_uncached);
  [[nodiscard]] engine::CalculationState* state_of(std::size_t run) const;
  [[nodiscard]] std::vector<Group> groups_of(std::size_t run,
                                             const std::vector<std::size_t>& records) const;
  void compute_run(std::size_t run, const std::vector<std::size_t>& records);
  void compute_group(std::size_t run, const Group& group);
  void compute_one(std::size_t run, std::span<const std::size_t> records);
  [[nodiscard]] std::span<const std::size_t> compute_part(std::size_t run,
                                                          std::span<const std::size_t> records);
  [[nodiscard]] ComputeReport compute_on_chain(std::size_t run,
                                               std::span<const std::size_t> records);
  void end_flights(std::size_t run, std::span<const std::size_t> records,
                   const ComputeReport& report);
  void after_user_code() noexcept;
  void complete(const Computed& computed);
  void publish(std::size_t query, const Value& value);
  void add_entry(const Computed& computed, std::optional<Value> value);
  void keep();
  void keep_finished();
  void join();
  [[nodiscard]] bool take_joined(const Claims::Joined& joined, const engine::Deadline& deadline);
  [[nodiscard]] bool take_ended(std::size_t query, const engine::InFlight& flight);
  void throw_what_failed() const;
  [[nodiscard]] std::vector<CalculationFailed::Record> failed_records() const;
  void share();

  [[nodiscard]] const LoadRun& run_of(std::size_t query) const {
    return runs_[cached_[query / records_]];
  }
  [[nodiscard]] std::size_t record_of(std::size_t query) const { return query % records_; }
  [[nodiscard]] std::size_t query_of(std::size_t run, std::size_t record) const {
    return runs_[run].first_query + record;
  }
  [[nodiscard]] bool is_lost() const { return thrown_ || !failed_.empty(); }

  engine::Engine& engine_;
  const std::span<const LoadRun> runs_;
  const std::size_t records_;
  const std::span<const engine::Query> queries_;
  const KeyOf key_of_;
  std::vector<std::size_t> cached_;  // the positions of cached runs in runs_, in order
  const engine::RefreshBatch* refresh_ = nullptr;  // of which this load is the run
  std::int64_t kept_at_ = 0;                       // steady clock: the last keep of a refresh
  std::vector<engine::Answer> answers_;
  std::int64_t looked_up_at_ = 0;
  std::vector<std::size_t> stale_;  // queries
  std::vector<bool> kept_;          // by query: whether it has a value for failures
  std::vector<Twin> twins_;
  const std::optional<Duration> wait_;
  Claims claims_;
  std::vector<engine::NewEntry> entries_;  // computed and not yet stored
  std::size_t computed_ = 0;
  int threw_ = 0;                     // the calls of the current run that threw in a row
  std::vector<FailedRecord> failed_;  // all of the same run, which is the last one
  std::exception_ptr thrown_;
};

// ---- refreshes in the background, in load_refresh.cpp

/// A background batch. It recomputes stale values of one calculation, on copies of their records
/// and in the scope of the load that queued it.
///
/// When it runs, it recomputes only entries that are still stale and were not removed since that
/// load. If a record fails, its old value remains and the record pauses; the other records go on.
///
/// A queued batch claims nothing, so no load waits for it.
class Refresh final : public engine::RefreshBatch {
 public:
  /// `stale` has the numbers of the run's queries that have a stale value. Skips queries that
  /// another batch refreshes; returns null if no query remains. None of the
  /// cache's first `removals` removals removed a key of `stale` after the look-up.
  [[nodiscard]] static std::unique_ptr<Refresh> begin(engine::Engine& engine, const LoadRun& run,
                                                      std::span<const engine::Query> queries,
                                                      std::span<const std::size_t> stale,
                                                      std::uint64_t removals);
  ~Refresh() override;

  void run() override;

 private:
  Refresh(engine::Engine& engine, const LoadRun& run, const engine::CalculationState& state);
  void take(std::unique_ptr<detail::OwnedRun> records);
  [[nodiscard]] std::vector<std::size_t> take_over(std::span<const engine::Query> queries,
                                                   std::span<const std::size_t> stale,
                                                   std::size_t first_query, std::uint64_t removals);
  [[nodiscard]] std::vector<engine::Query> queries() const;
  void compute();

  std::unique_ptr<detail::OwnedRun> records_;  // owns the engine too, so it is destroyed last
  engine::Engine& engine_;
  LoadRun run_;
  const std::string scope_;
  engine::Query like_;           // the common part of all queries
  std::vector<Value> versions_;  // by key; trailing null ones are left out
};

/// The text of an exception of any type.
[[nodiscard]] std::string text_of(const std::exception_ptr& thrown);

}  // namespace ashmemo::api
