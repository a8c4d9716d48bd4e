#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <ashmemo/detail/calculation_run.hpp>
#include <ashmemo/detail/callable.hpp>
#include <ashmemo/records.hpp>

// Turns a callable of any kind into a typed definition.

namespace ashmemo {

template <class T, class R, class... Args>
class Calculation;

}  // namespace ashmemo

namespace ashmemo::detail {

template <class T, class F, class Parameters>
struct DefinitionMaker;

template <class T, class F, class First, class... Rest>
struct DefinitionMaker<T, F, Types<First, Rest...>> {
  using Raw = std::remove_cvref_t<typename Signature<F>::Result>;
  static constexpr bool kBatch = std::same_as<std::remove_cvref_t<First>, Records<T>>;
  static_assert(kBatch || std::convertible_to<const T&, First>,
                "ashmemo: a calculation takes `const T&` or `ashmemo::Records<T>` first");
  static_assert(!kBatch || BatchResult<Raw>::is_vector,
                "ashmemo: a calculation of a batch returns std::vector<R>, or "
                "std::vector<ashmemo::Outcome<R>>");
  static_assert(!std::is_void_v<Raw>, "ashmemo: a calculation returns its result");
  static_assert(
      !kIsOutcome<Raw>,
      "ashmemo: a calculation of one record throws where it fails; Outcome is for batches");
  static_assert((std::convertible_to<
                     decltype(as_parameter<Rest>(std::declval<const Owned<Rest>&>())), Rest> &&
                 ...),
                "ashmemo: the arguments of a calculation are constant: take them by value or as "
                "const references");

  static_assert((!kBorrowsText<Owned<Rest>> && ...),
                "ashmemo: the arguments of a calculation are kept for refreshes: take a "
                "std::string inside of an optional or a vector, and no view of text");

  using Result = typename std::conditional_t<kBatch, BatchResult<Raw>, Stored<Raw>>::type;
  using Handle = Calculation<T, Result, Owned<Rest>...>;
  using Made = Definition<T, Result, Owned<Rest>...>;

  [[nodiscard]] static std::shared_ptr<Made> make(F calculation) {
    auto made = std::make_shared<Made>();
    // Shared, so the callable need not be copyable.
    made->compute = [call = std::make_shared<F>(std::move(calculation))](
                        Records<T> records, ResultSink<Result>& sink,
                        const Owned<Rest>&... arguments) {
      if constexpr (kBatch) {
        sink.take(std::invoke(*call, records, as_parameter<Rest>(arguments)...));
      } else {
        for (std::size_t at = 0; at < records.size(); ++at) {
          sink.done(at, owned_result<Result>(
                            std::invoke(*call, records[at], as_parameter<Rest>(arguments)...)));
        }
      }
    };
    return made;
  }
};

template <class T, class F>
using DefinitionOf =
    DefinitionMaker<T, F, typename WithRecord<T, F, typename Signature<F>::Parameters>::type>;

}  // namespace ashmemo::detail
