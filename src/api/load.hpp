#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/detail/core.hpp>
#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/error.hpp>

#include "api/load_claims.hpp"
#include "api/load_run.hpp"
#include "engine/reading.hpp"
#include "engine/submit.hpp"

namespace ashmemo::api {

/// Makes the values that a read finds the results of runs.
class RunSink final : public engine::ValueSink {
 public:
  /// Each run has `records` queries; run 0 has the first ones.
  RunSink(std::vector<detail::PageRun*> runs, std::size_t records)
      : runs_(std::move(runs)), records_(records) {}

  /// For a read of only these queries. It takes only fresh values.
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
/// with their loader. Knows no types: keys, versions and values only.
///
/// Every cached run has one query for each record; a query is named by its number, and stands for
/// its record in its run all through the load. The steps, in this order:
///
///   look_up   one read for all queries
///   split     what is fresh or stale has its result; the rest is missing
///   distinct  of queries for the same key and version, one stands for its twins
///   claim     the missing ones that no other caller computes; what came in meanwhile is looked up
///   compute   these, and all records of runs that are not cached; one call a batch form. Whoever
///             waits for a result gets it as soon as it stands
///   keep      one write for all that was computed, also where something was thrown on the way
///   refresh   what is stale is computed anew in the background, one batch a calculation
///   join      waits for what others compute; what cannot be had there is computed and kept, too
///   share     twins get the result of the one that stood for them
///
/// Threads: a load is one thread's. No lock is held while the user's code runs.
class Load {
 public:
  /// The key of a record's result, for messages.
  using KeyOf = std::function<std::string(const LoadRun& run, std::size_t record)>;

  /// All spans are the caller's. `queries` has `records` of them for each cached run, in order.
  /// `removals`: how many there were when the records were copied; nullopt: they are new.
  Load(engine::Engine& engine, std::span<const LoadRun> runs, std::size_t records,
       std::span<const engine::Query> queries, KeyOf key_of, const LoadOptions& options,
       std::optional<std::uint64_t> removals = {});

  /// Returns how many results were computed. Throws what a calculation threw.
  std::size_t run();
  /// Computes anew what is stale, on the thread of a background task; nothing else. Throws nothing
  /// of the calculation's: a failure is counted and told, and the calculation pauses.
  void refresh();

 private:
  /// The queries `twin` and `leader` ask for the same.
  struct Twin {
    std::size_t leader = 0;
    std::size_t twin = 0;
  };

  [[nodiscard]] RunSink sink() const;
  void look_up();
  [[nodiscard]] std::vector<std::size_t> split();
  [[nodiscard]] bool answers_now(std::size_t query);
  void refresh_stale();
  void refresh_run(std::size_t run, std::span<const std::size_t> stale);
  void settle_back_off(std::size_t run, bool failed, std::int64_t began);
  void answer_with_kept(std::size_t run, std::span<const std::size_t> records,
                        ComputeReport& report);
  void report_failure(std::size_t run, const std::string& why);
  [[nodiscard]] bool is_kept(std::size_t query) const { return !kept_.empty() && kept_[query]; }
  [[nodiscard]] std::vector<std::size_t> distinct(const std::vector<std::size_t>& missing);
  [[nodiscard]] std::vector<std::size_t> claim(const std::vector<std::size_t>& missing);
  [[nodiscard]] std::vector<std::size_t> look_again(const std::vector<std::size_t>& wanted);
  void compute(const std::vector<std::size_t>& wanted, bool with_uncached);
  void compute_one(std::size_t run, std::span<const std::size_t> records);
  [[nodiscard]] std::span<const std::size_t> compute_part(std::size_t run,
                                                          std::span<const std::size_t> records,
                                                          bool* failed);
  [[nodiscard]] ComputeReport compute_on_chain(std::size_t run,
                                               std::span<const std::size_t> records);
  void end_flights(std::size_t run, std::span<const std::size_t> records,
                   const ComputeReport& report);
  void complete(const Computed& computed);
  void add_entry(const Computed& computed, std::optional<Value> value);
  void keep();
  void join();
  [[nodiscard]] bool take_joined(const Claims::Joined& joined, const engine::Deadline* deadline);
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
  std::vector<std::size_t> cached_;  // the cached ones of runs_, in order
  std::vector<engine::Answer> answers_;
  std::int64_t looked_up_at_ = 0;
  std::vector<std::size_t> stale_;  // queries
  std::vector<bool> kept_;          // by query: has a value for where computing fails
  std::vector<Twin> twins_;
  const std::optional<Duration> wait_;
  Claims claims_;
  std::vector<engine::NewEntry> entries_;  // computed and not yet kept
  std::size_t computed_ = 0;
  std::vector<FailedRecord> failed_;  // all of one run: no other runs after it
  std::exception_ptr thrown_;
};

}  // namespace ashmemo::api
