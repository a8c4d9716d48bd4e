#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/detail/define.hpp>
#include <ashmemo/detail/page.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/records.hpp>

namespace ashmemo {

template <class T>
class Resource;
template <class T, class R, class... Args>
class BoundCalculation;

/// A calculation on records of type `T`, with a result of type `R` and perhaps arguments. It is the
/// handle that Resource::calculation and Resource::find return. It is cheap to copy, and its type
/// has a name, so it can be a member of a class:
///
///     ashmemo::Calculation<Post, int> word_count;
///     ashmemo::Calculation<Post, std::string, int> excerpt;   // excerpt(page, 80)
///
/// Answer: for each record the cached result, if it is fresh and of the record's version. Otherwise
/// the calculation computes the result, which is then stored. A calculation that is not cached
/// (Resource::cache_calculation) computes every time.
///
/// Stale results answer at once if the policy has stale_while_revalidate. One batch for all of them
/// then runs in the background, on copies of records and arguments. CachePolicy also describes the
/// answers when the calculation fails.
///
/// Callers at the same time: one of them computes each result, even if their pages overlap only in
/// part. The others wait for it, at most for LoadOptions::wait. If a run for a single record
/// throws, they all get the same exception object, so do not modify an exception that you catch. If
/// a batch throws, each of them computes its own records. A put, a removal or an invalidation
/// during the computation wins over its result. A load that begins after an invalidation has
/// returned never joins a run that began before.
///
/// Nesting: a calculation may load others, and itself for other records. If waiting would close a
/// circle of threads, the caller computes the record itself. So a calculation may help other tasks
/// while it waits (work stealing): if such a task loads a record that its thread computes already,
/// the record is computed again. One thread may do this 32 times for the same records. The next
/// time is ErrorCode::cycle, with the path of runs, because the calculations seem to need each
/// other's results without end. At least one of them must be cached, otherwise the cycle is not
/// seen. Runs of calculations are nested at most 500 deep; a deeper one is ErrorCode::too_deep.
///
/// Cancellation: pthread_cancel and pthread_exit inside a calculation or a loader end the thread,
/// and waiting callers compute the results. Do not call them inside a codec, a key or a hook, and
/// do not cancel a thread in another call of a cache, such as Cache::get: it may hold a lock then.
///
/// Rules for the calculation itself: a result depends only on its own record and on the arguments,
/// not on other records of the batch. It may call the cache and other calculations. It may run on
/// several threads at once.
///
/// Records are
///   one record     a `T` or a class derived from it; a type that only converts to `T` is refused
///   a page         any range of `T&` or of pointers to `T` (`const T*`, std::shared_ptr<T>,
///                  std::optional<T>, ...), which is read once; or an initializer list. If a range
///                  can be read only once (a stream with input iterators), its elements must be
///                  plain pointers; other elements do not compile. A null pointer or an empty
///                  optional is ErrorCode::misuse, which names its index.
///
/// Errors: the store causes none. An exception of the calculation reaches the caller unchanged. If
/// a batch throws, none of its results is stored. If a single record throws, the results of the
/// records before it are stored. CalculationFailed if a batch returned Failed for some records; the
/// good results are stored first. wrong_number_of_results. misuse for an empty handle, and if
/// another registry of the open cache uses another version of a calculation of this resource
/// (CalculationOptions::version). A result with a key over 4 KiB is computed and not stored; it is
/// counted as uncached_keys.
///
/// Life: a handle owns everything that it needs. After the cache is closed or destroyed, it
/// computes each result. A calculation must not own a handle of its own registry by value, because
/// they would keep each other and the cache alive. Its function captures handles by reference, or
/// finds them as members of an object that it captures by reference.
///
/// Threads: any number of threads may use a handle at once. The calculation runs on the calling
/// thread, without a mutex of the cache. Threads that a calculation starts may use handles too. The
/// cache does not know their starter, so it cannot see a cycle through them: such a thread must not
/// ask for a result that its starter computes.
///
/// Cost of a page of any length: one look-up (one state of the file for each 10,000 keys), one run
/// of the calculation for missing records (more for records whose last batch threw), one bulk
/// write. If the calculation is cached, a record that occurs twice is computed once; the same
/// record in two versions counts as two.
template <class T, class R, class... Args>
class Calculation {
 public:
  /// An empty handle: assign another before use.
  Calculation() = default;
  [[nodiscard]] explicit operator bool() const noexcept { return definition_ != nullptr; }

  // ------------------------------------------------------------------------------------------
  // asking

  /// The result for one record. Counts one hit or miss.
  ///
  /// The results for a page, in its order, as std::vector<R>. Counts one hit or miss for each
  /// record.
  template <class P>
  auto operator()(P&& records, const Args&... arguments) const
      -> std::conditional_t<detail::RecordOf<P, T>, R, std::vector<R>> {
    if constexpr (detail::RecordOf<P, T>) {
      const T* const one = detail::pointer_to<T>(records);
      return load(std::span(&one, 1), arguments...).take_first();
    } else {
      return load(detail::pointers_to<T>(records), arguments...).take_results();
    }
  }
  std::vector<R> operator()(std::initializer_list<T> page, const Args&... arguments) const {
    return load(detail::pointers_to<T>(page), arguments...).take_results();
  }

  /// Chosen for wrong arguments. It only gives a clear message of the compiler.
  template <class P, class... A>
    requires(!detail::kArgumentsFit<detail::Types<Args...>, A...>)
  R operator()(P&&, const A&...) const {
    static_assert(
        detail::kArgumentsFit<detail::Types<Args...>, A...>,
        "ashmemo: these are not the arguments of the calculation: after the record, their "
        "number and types are those of its declaration");
    detail::throw_empty_handle();
  }

  /// The calculation with its arguments, for Resource::load: `excerpt.with(80)`. Copies them.
  [[nodiscard]] BoundCalculation<T, R, Args...> with(const Args&... arguments) const {
    return {*this, arguments...};
  }

  /// The results that are cached already, stale ones too, as std::optional<R> for one record or
  /// std::vector<std::optional<R>> for a page; nullopt for all others. For a thread that must not
  /// wait, such as the thread of a user interface: it computes and starts nothing. Counts nothing
  /// and marks a touch for each result. Cost: one look-up.
  template <class P>
  [[nodiscard]] auto cached(P&& records, const Args&... arguments) const
      -> std::conditional_t<detail::RecordOf<P, T>, std::optional<R>,
                            std::vector<std::optional<R>>> {
    if constexpr (detail::RecordOf<P, T>) {
      const T* const one = detail::pointer_to<T>(records);
      return std::move(look_up(std::span(&one, 1), arguments...).front());
    } else {
      return look_up(detail::pointers_to<T>(records), arguments...);
    }
  }
  [[nodiscard]] std::vector<std::optional<R>> cached(std::initializer_list<T> page,
                                                     const Args&... arguments) const {
    return look_up(detail::pointers_to<T>(page), arguments...);
  }

  /// Computes and stores the missing results of a page; returns how many were computed. Counts hits
  /// and misses. Does nothing if the calculation is not cached.
  template <class P>
  std::size_t warm(P&& page, const Args&... arguments) const {
    return fill(detail::pointers_to<T>(page), arguments...);
  }
  std::size_t warm(std::initializer_list<T> page, const Args&... arguments) const {
    return fill(detail::pointers_to<T>(page), arguments...);
  }

  // ----------------------------------------------------------------------------------------
  // removing

  /// Removes this calculation's results for the record: all arguments, all scopes, all versions of
  /// the record. Returns when the removal is committed, as Cache::erase does. Copies in memory of
  /// other entries may be dropped, too; the next reads of these take longer.
  template <class U>
  void invalidate(const U& record) const {
    const T* const one = detail::pointer_to<T>(record);
    const auto& made = definition();
    detail::invalidate_record(
        *made.resource, detail::RecordPage<T>(*made.access, std::span(&one, 1)), *made.calculation);
  }
  /// Makes all results of this calculation invisible with one small commit. Returns when that is
  /// committed. Ends the registration, as a load does. Cost: the same for any number of results.
  void invalidate_all() const {
    detail::invalidate_all(*definition().resource, *definition().calculation);
  }

  // -----------------------------------------------------------------------------------
  // introspection

  [[nodiscard]] const std::string& name() const {
    return detail::name_of(*definition().calculation);
  }
  /// The key of the record's result in the cache: "Post:42:excerpt(80)@acme". Calls the scope
  /// function.
  template <class U>
  [[nodiscard]] std::string key(const U& record, const Args&... arguments) const {
    const T* const one = detail::pointer_to<T>(record);
    const auto& made = definition();
    const Run run(definition_, {}, arguments...);
    return detail::cache_key(*made.resource,
                             detail::RecordPage<T>(*made.access, std::span(&one, 1)), run);
  }
  /// The counters of this calculation, restarts included. Runs no query.
  [[nodiscard]] CalculationStats stats() const {
    return detail::stats_of(*definition().calculation);
  }

 private:
  friend class Resource<T>;
  using Definition = detail::Definition<T, R, Args...>;
  using Run = detail::TypedRun<T, R, Args...>;

  explicit Calculation(std::shared_ptr<const Definition> definition)
      : definition_(std::move(definition)) {}

  [[nodiscard]] const Definition& definition() const {
    if (definition_ == nullptr) detail::throw_empty_handle();
    return *definition_;
  }
  [[nodiscard]] Run load(std::span<const T* const> page, const Args&... arguments) const {
    const Definition& made = definition();
    Run run(definition_, page, arguments...);
    detail::CalculationRun* const runs[] = {&run};
    detail::load(*made.resource, detail::RecordPage<T>(*made.access, page), runs, {});
    return run;
  }
  [[nodiscard]] std::vector<std::optional<R>> look_up(std::span<const T* const> page,
                                                      const Args&... arguments) const {
    const Definition& made = definition();
    Run run(definition_, page, arguments...);
    detail::look_up(*made.resource, detail::RecordPage<T>(*made.access, page), run);
    return run.take_known();
  }
  std::size_t fill(std::span<const T* const> page, const Args&... arguments) const {
    const Definition& made = definition();
    Run run(definition_, page, arguments...);
    detail::CalculationRun* const runs[] = {&run};
    return detail::load(*made.resource, detail::RecordPage<T>(*made.access, page), runs, {}, true);
  }

  std::shared_ptr<const Definition> definition_;  // also owns the resource
};

/// A calculation with its arguments, for Resource::load: `excerpt.with(80)` returns it.
template <class T, class R, class... Args>
class BoundCalculation {
 private:
  friend class Resource<T>;
  friend class Calculation<T, R, Args...>;

  BoundCalculation(Calculation<T, R, Args...> calculation, const Args&... arguments)
      : calculation_(std::move(calculation)), arguments_(arguments...) {}

  Calculation<T, R, Args...> calculation_;
  std::tuple<Args...> arguments_;
};

}  // namespace ashmemo
