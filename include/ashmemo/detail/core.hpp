#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/entry.hpp>
#include <ashmemo/put_options.hpp>
#include <ashmemo/value.hpp>

// The interface between the typed templates and the compiled core, which knows only keys and SQLite
// values. Not for users: any version may change it.

namespace ashmemo::detail {

class Core;  // one open cache: src/api/core.hpp

/// Takes the values that a look-up found.
class ValueSink {
 public:
  virtual ~ValueSink() = default;
  /// Takes the value of the query number `index`. False: the value does not decode, so that query
  /// is a miss.
  virtual bool take(std::size_t index, Freshness freshness, ValueView value) = 0;
  /// Whether `take` runs only code of this library for this query. If so, it is called with a view
  /// into the database's own memory, while a connection is in use. Otherwise it is called later,
  /// with a copy.
  [[nodiscard]] virtual bool in_place(std::size_t index) const noexcept = 0;
};

/// A key with its encoded value. `value` is empty if its codec threw; it is then counted, not
/// stored.
struct EncodedPut {
  std::string_view key;
  std::optional<Value> value;
};

void get_many(Core& core, std::span<const std::string_view> keys, ValueSink& sink);
/// Returns how many are in the queue (`relaxed`) or in the file (`commit`, `power`).
std::size_t put_many(Core& core, std::span<EncodedPut> puts, const PutOptions& options);

/// Gets the outcome of each record of a PageRun.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void done(std::size_t record) = 0;
  virtual void failed(std::size_t record, std::string why) = 0;
};

/// One calculation over one page of records. Its interface has no user types. Records are numbered
/// from 0.
class PageRun {
 public:
  virtual ~PageRun() = default;
  /// Takes a stored value as the record's result. False: it does not decode.
  virtual bool decode(std::size_t record, ValueView stored) = 0;
  [[nodiscard]] virtual bool decodes_in_place() const noexcept = 0;
  /// Runs the user's calculation for these records: one call for a batch calculation, otherwise one
  /// call for each record. It throws the exception of the calculation; results that the observer
  /// got before remain.
  virtual void compute(std::span<const std::size_t> records, RunObserver& observer) = 0;
  /// The record's result as a value; nullopt if its codec failed.
  [[nodiscard]] virtual std::optional<Value> encode(std::size_t record) const = 0;
  /// Whether the result is "nothing" (an empty optional).
  [[nodiscard]] virtual bool is_nothing(std::size_t record) const = 0;
  /// Copies the result of record `from` to record `to`. They have the same key.
  virtual void copy(std::size_t from, std::size_t to) = 0;
};

/// get_or_compute: the values of the keys; `run` computes those that miss. Throws its exceptions.
void get_or_compute(Core& core, std::span<const std::string_view> keys, PageRun& run,
                    const PutOptions& options);

}  // namespace ashmemo::detail
