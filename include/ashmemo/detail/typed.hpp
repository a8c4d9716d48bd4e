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

// The typed half of the functions of Cache. It only converts values to `T` and back.

namespace ashmemo::detail {

/// Decodes the values that a look-up finds, in the order of the keys.
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

/// DecodingSink for one key. It allocates no memory.
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

/// Throws Error (wrong_number_of_results).
[[noreturn]] void throw_wrong_number(std::string_view who, std::size_t got, std::size_t asked);

/// get_or_compute_many as a PageRun: its records are keys, its calculation is the caller's loader.
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
    constexpr bool returns_values =
        std::is_invocable_r_v<std::vector<T>, F&, std::span<const std::string_view>>;
    static_assert(returns_values,
                  "ashmemo: a loader of many keys takes std::span<const std::string_view> and "
                  "returns a std::vector of the type that get_or_compute_many<T> names");
    if constexpr (returns_values) {
      std::vector<T> values = loader_(std::span<const std::string_view>(missing));
      if (values.size() != records.size()) {
        throw_wrong_number("the loader", values.size(), records.size());
      }
      for (std::size_t i = 0; i < records.size(); ++i) {
        results_[records[i]] = static_cast<T>(std::move(values[i]));
        observer.done(records[i]);
      }
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

/// Whether a key of this type remains valid after the pair that contained it is destroyed.
template <class K>
inline constexpr bool kLastsAlone = std::is_pointer_v<K> || std::same_as<K, std::string_view>;

/// A range of pairs of a key and a value. The keys remain valid after the range was read.
template <class P>
concept PairRange = requires(const P& pairs) {
  { std::begin(pairs)->first } -> std::convertible_to<std::string_view>;
  requires LastingReference<decltype(*std::begin(pairs)), IteratorOf<const P>> ||
               LastingReference<decltype(std::begin(pairs)->first), IteratorOf<const P>> ||
               kLastsAlone<std::remove_cvref_t<decltype(std::begin(pairs)->first)>>;
  std::begin(pairs)->second;
  std::end(pairs);
};

/// The visitor of for_each; it returns false to stop.
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
