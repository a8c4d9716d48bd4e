#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ashmemo/detail/core.hpp>
#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/error.hpp>

#include "api/load_run.hpp"
#include "engine/reading.hpp"
#include "engine/submit.hpp"

namespace ashmemo::api {

/// One load: any number of calculations over one page of records, or the keys of a get_or_compute
/// with their loader. Knows no types: keys, versions and values only.
///
/// Every cached run has one query for each record; a query is named by its number, and stands for
/// its record in its run all through the load. The steps, in this order:
///
///   look_up   one read for all queries
///   split     what is fresh has its result; the rest is missing
///   distinct  of queries for the same key and version, one stands for its twins
///   compute   the missing ones, and all records of runs that are not cached; one call a batch form
///   keep      one write for all that was computed, also where something was thrown on the way
///   share     twins get the result of the one that stood for them
///
/// What another caller is computing is to be claimed and waited for between `distinct` and
/// `compute`.
///
/// Threads: a load is one thread's. No lock is held while the user's code runs.
class Load {
 public:
  /// The key of a record's result, for messages.
  using KeyOf = std::function<std::string(const LoadRun& run, std::size_t record)>;

  /// All spans are the caller's. `queries` has `records` of them for each cached run, in order.
  Load(engine::Engine& engine, std::span<const LoadRun> runs, std::size_t records,
       std::span<const engine::Query> queries, KeyOf key_of);

  /// Returns how many results were computed. Throws what a calculation threw.
  std::size_t run();

 private:
  /// The queries `twin` and `leader` ask for the same.
  struct Twin {
    std::size_t leader = 0;
    std::size_t twin = 0;
  };

  void look_up();
  [[nodiscard]] std::vector<std::size_t> split();
  [[nodiscard]] std::vector<std::size_t> distinct(const std::vector<std::size_t>& missing);
  void compute(const std::vector<std::size_t>& wanted);
  void compute_one(std::size_t run, std::span<const std::size_t> records);
  void keep();
  void keep_one(const Computed& computed, std::vector<engine::NewEntry>& entries);
  void throw_what_failed() const;
  [[nodiscard]] std::vector<CalculationFailed::Record> failed_records() const;
  void share();

  [[nodiscard]] const LoadRun& run_of(std::size_t query) const {
    return runs_[cached_[query / records_]];
  }
  [[nodiscard]] std::size_t record_of(std::size_t query) const { return query % records_; }

  engine::Engine& engine_;
  const std::span<const LoadRun> runs_;
  const std::size_t records_;
  const std::span<const engine::Query> queries_;
  const KeyOf key_of_;
  std::vector<std::size_t> cached_;  // the cached ones of runs_, in order
  std::vector<engine::Answer> answers_;
  std::vector<Twin> twins_;
  std::vector<Computed> computed_;
  std::vector<FailedRecord> failed_;  // all of one run: no other runs after it
  std::exception_ptr thrown_;
};

/// Makes what a read finds the results of runs. `runs`: those that are asked for, `records` queries
/// each.
class RunSink final : public engine::AnswerSink {
 public:
  RunSink(std::vector<detail::PageRun*> runs, std::size_t records)
      : runs_(std::move(runs)), records_(records) {}

  bool take(std::size_t index, Freshness /*freshness*/, ValueView value) override {
    return runs_[index / records_]->decode(index % records_, value);
  }
  [[nodiscard]] bool in_place(std::size_t index) const noexcept override {
    return runs_[index / records_]->decodes_in_place();
  }

 private:
  const std::vector<detail::PageRun*> runs_;
  const std::size_t records_;
};

}  // namespace ashmemo::api
