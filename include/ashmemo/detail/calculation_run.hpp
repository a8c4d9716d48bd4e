#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <ashmemo/codec.hpp>
#include <ashmemo/detail/callable.hpp>
#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/detail/typed.hpp>
#include <ashmemo/key_part.hpp>
#include <ashmemo/records.hpp>

// The typed half of a load: records and results. The compiled half makes all decisions.

namespace ashmemo::detail {

/// Appends the parts of a record's key, each followed by a colon.
template <class T>
using KeyAccess = std::function<void(std::string&, const T&)>;

/// How to get the key and the version of a record.
template <class T>
struct RecordAccess {
  KeyAccess<T> append_key;
  std::function<Value(const T&)> version;  // may be empty
};

/// The page for the compiled half.
template <class T>
class RecordPage final : public RecordSource {
 public:
  RecordPage(const RecordAccess<T>& access, std::span<const T* const> records)
      : access_(access), records_(records) {}

  [[nodiscard]] std::size_t size() const noexcept override { return records_.size(); }
  void append_key(std::size_t record, std::string& out) const override {
    access_.append_key(out, *records_[record]);
  }
  [[nodiscard]] bool has_versions() const noexcept override {
    return static_cast<bool>(access_.version);
  }
  [[nodiscard]] Value version(std::size_t record) const override {
    return access_.version(*records_[record]);
  }

 private:
  const RecordAccess<T>& access_;
  std::span<const T* const> records_;
};

/// Takes the results of one call of a calculation. `at` is the position of a record in that call.
template <class R>
class ResultSink {
 public:
  ResultSink(const CalculationCore& calculation, std::span<const std::size_t> records,
             RunResults<R>& results, RunObserver& observer)
      : calculation_(calculation), records_(records), results_(results), observer_(observer) {}

  void done(std::size_t at, R&& result) {
    results_[records_[at]].emplace(std::move(result));
    observer_.done(records_[at]);
  }

  /// Takes the results of a batch calculation. `results` is a copy if the calculation returned a
  /// reference.
  template <class V>
  void take(V results) {
    if (results.size() != records_.size()) {
      throw_wrong_number(label_of(calculation_), results.size(), records_.size());
    }
    for (std::size_t at = 0; at < records_.size(); ++at) take_one(at, std::move(results[at]));
  }

 private:
  template <class V>
  void take_one(std::size_t at, V&& result) {
    done(at, owned_result<R>(std::forward<V>(result)));
  }
  template <class V>
  void take_one(std::size_t at, Outcome<V>&& outcome) {
    if (V* const good = std::get_if<0>(&outcome)) return take_one(at, std::move(*good));
    const Failed* const failed = std::get_if<1>(&outcome);
    observer_.failed(records_[at], failed != nullptr ? failed->why : "the outcome is empty");
  }

  const CalculationCore& calculation_;
  std::span<const std::size_t> records_;
  RunResults<R>& results_;
  RunObserver& observer_;
};

/// A registered calculation. The resource owns it and the objects of its pointers.
template <class T, class R, class... Args>
struct Definition {
  std::function<void(Records<T>, ResultSink<R>&, const Args&...)> compute;
  const RecordAccess<T>* access = nullptr;
  ResourceCore* resource = nullptr;
  CalculationCore* calculation = nullptr;
};

template <class T, class R, class... Args>
class RunOnCopies;

/// One calculation over one page. The caller owns the page and the arguments.
template <class T, class R, class... Args>
class TypedRun final : public CalculationRun {
 public:
  using DefinitionPtr = std::shared_ptr<const Definition<T, R, Args...>>;

  TypedRun(DefinitionPtr definition, std::span<const T* const> page, const Args&... arguments)
      : definition_(std::move(definition)),
        page_(page),
        arguments_(arguments...),
        results_(page.size()) {}

  bool decode(std::size_t record, ValueView stored) override {
    if constexpr (Storable<R>) {
      std::optional<R> decoded = detail::decode<R>(stored);
      if (!decoded.has_value()) return false;
      results_[record].emplace(std::move(*decoded));
      return true;
    } else {
      return false;
    }
  }
  [[nodiscard]] bool decodes_in_place() const noexcept override {
    if constexpr (Storable<R>) return ashmemo::decodes_in_place<R>;
    return false;
  }

  void compute(std::span<const std::size_t> records, RunObserver& observer) override {
    const std::vector<const T*> chosen = choose(records);
    ResultSink<R> sink(*definition_->calculation, records, results_, observer);
    std::apply(
        [&](const Args&... arguments) {
          definition_->compute(Records<T>(chosen), sink, arguments...);
        },
        arguments_);
  }

  [[nodiscard]] std::optional<Value> encode(std::size_t record) const override {
    if constexpr (Storable<R>) return try_encode(results_.at(record));
    return std::nullopt;
  }
  [[nodiscard]] bool is_nothing(std::size_t record) const override {
    if constexpr (kIsOptional<R>) return !results_.at(record).has_value();
    return false;
  }
  void copy(std::size_t from, std::size_t to) override { copy_of(*this, from, to); }
  void copy_of(const CalculationRun& other, std::size_t from, std::size_t to) override {
    // Only results that can be copied are cached, and only cached calculations have twins.
    if constexpr (std::copy_constructible<R>) {
      results_[to].emplace(static_cast<const TypedRun&>(other).results_.at(from));
    }
  }

  [[nodiscard]] std::unique_ptr<OwnedRun> own(std::span<const std::size_t> records) const override {
    if constexpr (std::copy_constructible<T> && !std::is_polymorphic_v<T>) {
      return std::make_unique<RunOnCopies<T, R, Args...>>(definition_, choose(records), arguments_);
    }
    return nullptr;
  }

  [[nodiscard]] CalculationCore& calculation() const noexcept override {
    return *definition_->calculation;
  }
  void append_call(std::string& out) const override {
    std::apply(
        [&](const Args&... arguments) {
          append_calculation(out, name_of(*definition_->calculation), arguments...);
        },
        arguments_);
  }

  /// Moves all results out. After a load every record has a result.
  [[nodiscard]] std::vector<R> take_results() { return results_.take(); }
  [[nodiscard]] R take_first() { return std::move(*results_[0]); }
  /// For a look-up: moves the results out that exist.
  [[nodiscard]] std::vector<std::optional<R>> take_known() {
    std::vector<std::optional<R>> known;
    known.reserve(page_.size());
    for (std::size_t i = 0; i < page_.size(); ++i) known.push_back(std::move(results_[i]));
    return known;
  }

 private:
  [[nodiscard]] std::vector<const T*> choose(std::span<const std::size_t> records) const {
    std::vector<const T*> chosen;
    chosen.reserve(records.size());
    for (const std::size_t record : records) chosen.push_back(page_[record]);
    return chosen;
  }

  DefinitionPtr definition_;
  std::span<const T* const> page_;
  std::tuple<const Args&...> arguments_;
  RunResults<R> results_;
};

/// A run on copies of records and arguments.
template <class T, class R, class... Args>
class RunOnCopies final : public OwnedRun {
 public:
  RunOnCopies(const typename TypedRun<T, R, Args...>::DefinitionPtr& definition,
              const std::vector<const T*>& records, const std::tuple<const Args&...>& arguments)
      : arguments_(arguments) {
    records_.reserve(records.size());
    for (const T* const record : records) page_.push_back(&records_.emplace_back(*record));
    std::apply([&](const Args&... own) { run_.emplace(definition, page_, own...); }, arguments_);
  }
  [[nodiscard]] CalculationRun& run() noexcept override { return *run_; }

 private:
  std::vector<T> records_;
  std::vector<const T*> page_;
  std::tuple<Args...> arguments_;
  std::optional<TypedRun<T, R, Args...>> run_;
};

}  // namespace ashmemo::detail
