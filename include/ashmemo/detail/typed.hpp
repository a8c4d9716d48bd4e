#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <ashmemo/codec.hpp>
#include <ashmemo/detail/core.hpp>
#include <ashmemo/detail/repeatable.hpp>
#include <ashmemo/entry.hpp>
#include <ashmemo/error.hpp>

// The typed halves of the direct API: they turn values to `T` and back, and know nothing else.

namespace ashmemo::detail {

/// Decodes what a lookup finds into results in the order asked.
template <class T>
class DecodingSink final : public ValueSink {
 public:
  explicit DecodingSink(std::size_t size) : results_(size) {}

  bool take(std::size_t index, Freshness, ValueView value) override {
    results_[index] = decode<T>(value);
    return results_[index].has_value();
  }
  [[nodiscard]] bool in_place(std::size_t) const noexcept override { return decodes_in_place<T>; }
  [[nodiscard]] std::vector<std::optional<T>> take_results() { return std::move(results_); }

 private:
  std::vector<std::optional<T>> results_;
};

/// As DecodingSink, of one key: needs no memory of its own.
template <class T>
class DecodingOne final : public ValueSink {
 public:
  bool take(std::size_t, Freshness, ValueView value) override {
    result_ = decode<T>(value);
    return result_.has_value();
  }
  [[nodiscard]] bool in_place(std::size_t) const noexcept override { return decodes_in_place<T>; }
  [[nodiscard]] std::optional<T> take_result() { return std::move(result_); }

 private:
  std::optional<T> result_;
};

/// The value in its stored form; nullopt if its codec threw.
template <class T>
[[nodiscard]] std::optional<Value> try_encode(const T& value) {
  try {
    return encode(value);
  } catch (...) {
    return std::nullopt;
  }
}

/// Results of one run, by record; each is computed, decoded or copied exactly once.
template <class R>
class RunResults {
 public:
  explicit RunResults(std::size_t size) : results_(size) {}

  [[nodiscard]] std::optional<R>& operator[](std::size_t record) { return results_[record]; }
  [[nodiscard]] const R& at(std::size_t record) const { return *results_[record]; }
  void copy(std::size_t from, std::size_t to) { results_[to] = results_[from]; }

  /// All results, moved out. Call once, when each record has one.
  [[nodiscard]] std::vector<R> take() {
    std::vector<R> out;
    out.reserve(results_.size());
    for (std::optional<R>& result : results_) out.push_back(std::move(*result));
    return out;
  }

 private:
  std::vector<std::optional<R>> results_;
};

/// How many results a batch gave against how many it was asked for, as an error.
[[noreturn]] void throw_wrong_number(std::string_view who, std::size_t got, std::size_t asked);

/// get_or_compute_many as a PageRun: the "records" are keys, the calculation is the caller's
/// loader.
template <class T, class F>
class LoaderRun final : public PageRun {
 public:
  LoaderRun(std::span<const std::string_view> keys, F& loader)
      : keys_(keys), loader_(loader), results_(keys.size()) {}

  bool decode(std::size_t record, ValueView stored) override {
    results_[record] = detail::decode<T>(stored);
    return results_[record].has_value();
  }
  [[nodiscard]] bool decodes_in_place() const noexcept override {
    return ashmemo::decodes_in_place<T>;
  }
  void compute(std::span<const std::size_t> records, RunObserver& observer) override {
    std::vector<std::string_view> missing;
    missing.reserve(records.size());
    for (const std::size_t record : records) missing.push_back(keys_[record]);
    std::vector<T> values = loader_(std::span<const std::string_view>(missing));
    if (values.size() != records.size()) {
      throw_wrong_number("the loader", values.size(), records.size());
    }
    for (std::size_t i = 0; i < records.size(); ++i) {
      results_[records[i]] = static_cast<T>(std::move(values[i]));
      observer.done(records[i]);
    }
  }
  [[nodiscard]] std::optional<Value> encode(std::size_t record) const override {
    return try_encode(results_.at(record));
  }
  [[nodiscard]] bool is_nothing(std::size_t record) const override {
    if constexpr (kIsOptional<T>) return !results_.at(record).has_value();
    return false;
  }
  void copy(std::size_t from, std::size_t to) override { results_.copy(from, to); }

  [[nodiscard]] std::vector<T> take_results() { return results_.take(); }

 private:
  std::span<const std::string_view> keys_;
  F& loader_;
  RunResults<T> results_;
};

/// What an element of a range of keys must be: a view of it outlives the element's own reading.
template <class E, class I>
concept LastingKey =
    std::convertible_to<E, std::string_view> &&
    (std::is_pointer_v<std::remove_cvref_t<E>> ||
     std::same_as<std::remove_cvref_t<E>, std::string_view> || LastingReference<E, I>);

/// A range of pairs whose first is a key, which outlives the pair's own reading.
template <class P>
concept PairRange = requires(const P& pairs) {
  { std::begin(pairs)->first } -> std::convertible_to<std::string_view>;
  requires LastingReference<decltype(*std::begin(pairs)), IteratorOf<const P>> ||
               LastingKey<decltype(std::begin(pairs)->first), IteratorOf<const P>>;
  std::begin(pairs)->second;
  std::end(pairs);
};

/// What for_each calls for each entry; false: stop.
using EntryVisitor = std::function<bool(const EntryInfo&, ValueView)>;

/// Accepts visitors that take the entry alone or with its value, and return nothing or bool.
template <class F>
[[nodiscard]] EntryVisitor entry_visitor(F& visit) {
  return [&visit](const EntryInfo& info, ValueView value) {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (std::invocable<F&, const EntryInfo&, ValueView>) {
        return visit(info, value);
      } else {
        return visit(info);
      }
    };
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return true;
    } else {
      return static_cast<bool>(call());
    }
  };
}

}  // namespace ashmemo::detail
