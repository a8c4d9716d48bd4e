#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
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

/// A calculation on records of type `T`, with a result of type `R` and perhaps arguments: what
/// Resource::calculation and Resource::find return. A handle: cheap to copy, with a type that can
/// be named, so that it can be a member of a class:
///
///     ashmemo::Calculation<Post, int> word_count;
///     ashmemo::Calculation<Post, std::string, int> excerpt;   // excerpt(page, 80)
///
/// What it answers with: for each record the result that is kept in the cache, if there is a fresh
/// one for the record's version, else what the calculation computes, which is then kept. A
/// calculation that is not cached (Resource::cache_calculation) computes every time.
///
/// Stale results answer at once where the policy has stale_while_revalidate; one batch for all of
/// them runs in the background, on copies of records and arguments. See CachePolicy, also for what
/// answers when the calculation fails.
///
/// Callers at the same time: each result is computed by one of them, however their pages overlap;
/// the others wait for it, each for as long as it takes or LoadOptions::wait says. They share what
/// a run for a single record throws; of a batch that throws each computes its own records itself.
/// What is stored, removed or invalidated while a result is being computed wins over it, and a load
/// that begins after an invalidation has returned never joins a run that began before.
///
/// Calculations may load others, and themselves for other records. If waiting would close a circle
/// of threads, the caller computes the record itself. Calculations that need each other without end
/// are ErrorCode::cycle, with the path of runs; at least one of them must be cached to be seen.
///
/// What the calculation itself must keep to: a result depends on its own record, on the arguments
/// and on nothing else, the other records of a batch included. It may call the cache and other
/// calculations. It may run on several threads at once.
///
/// Records are given as
///   one record     a `T`, or something derived from `T`: exactly that, nothing that converts to it
///   a page         any range of `T&`, or of pointers to `T` (`const T*`, std::shared_ptr<T>,
///                  std::optional<T>, ...), which is read once; or an initializer list. A range
///                  that cannot be read again (a stream: its iterators are input iterators and no
///                  more) must be of plain pointers, or does not compile. A null pointer or an
///                  empty optional is ErrorCode::misuse that names its index.
///
/// Cost of a page, whatever its length: one lookup (one state of the file each 10,000 keys), one
/// run of the calculation for what is missing, one bulk write. A record that stands in it twice is
/// computed once, where the calculation is cached; the same record in two versions is two.
///
/// Errors: none because of the store. Whatever the calculation throws reaches the caller unchanged;
/// of a batch nothing is kept then, of single records what was computed before. CalculationFailed,
/// once the good results are kept, if a batch answered Failed for some. wrong_number_of_results.
/// misuse for an empty handle, and where the open cache has another version of a calculation of
/// this resource in use (CalculationOptions::version). Results with a key over 4 KiB are computed
/// and not kept, counted as uncached_keys.
///
/// Life: it keeps what it needs. After the cache was closed or destroyed it computes. A calculation
/// must not hold a handle of its own registry by value: they would keep each other and the cache
/// for ever. Its function captures handles by reference, or finds them as members of an object that
/// it has by reference.
///
/// Threads: a handle may be used by any number of threads at once. The calculation runs on the
/// thread that asks, without any lock of the cache. Threads that a calculation starts by itself may
/// use handles too; the cache does not know on whose behalf, so it cannot see a cycle that runs
/// through them: such a thread must not ask for what its own starter is computing.
template <class T, class R, class... Args>
class Calculation {
 public:
  /// An empty handle: assign another before use.
  Calculation() = default;
  [[nodiscard]] explicit operator bool() const noexcept { return definition_ != nullptr; }

  // ------------------------------------------------------------------------------------------
  // asking

  /// The result for one record. Counts one hit or miss.
  template <detail::RecordOf<T> U>
  R operator()(const U& record, const Args&... arguments) const {
    const T* const one = std::addressof(static_cast<const T&>(record));
    return load(std::span(&one, 1), arguments...).take_first();
  }
  /// The results for a page, in its order. Counts one hit or miss each.
  template <class P>
    requires detail::PageOf<P, T>
  std::vector<R> operator()(P&& page, const Args&... arguments) const {
    return load(detail::pointers_to<T>(page), arguments...).take_results();
  }
  std::vector<R> operator()(std::initializer_list<T> page, const Args&... arguments) const {
    return load(detail::pointers_to<T>(page), arguments...).take_results();
  }

  /// The calculation with its arguments, for Resource::load: `excerpt.with(80)`. Copies them.
  [[nodiscard]] BoundCalculation<T, R, Args...> with(const Args&... arguments) const {
    return {*this, arguments...};
  }

  /// The results that are there already, stale ones too; nullopt for all others. For a thread that
  /// must not wait, such as a user interface's: never computes, starts nothing. One lookup. Counts
  /// nothing, marks a touch for each result.
  template <detail::RecordOf<T> U>
  [[nodiscard]] std::optional<R> cached(const U& record, const Args&... arguments) const {
    const T* const one = std::addressof(static_cast<const T&>(record));
    return std::move(look_up(std::span(&one, 1), arguments...).front());
  }
  template <class P>
    requires detail::PageOf<P, T>
  [[nodiscard]] std::vector<std::optional<R>> cached(P&& page, const Args&... arguments) const {
    return look_up(detail::pointers_to<T>(page), arguments...);
  }
  [[nodiscard]] std::vector<std::optional<R>> cached(std::initializer_list<T> page,
                                                     const Args&... arguments) const {
    return look_up(detail::pointers_to<T>(page), arguments...);
  }

  /// Computes and keeps what is missing of a page; returns how many were computed. Counts as asking
  /// does. Does nothing where the calculation is not cached.
  template <class P>
    requires detail::PageOf<P, T>
  std::size_t warm(P&& page, const Args&... arguments) const {
    return fill(detail::pointers_to<T>(page), arguments...);
  }
  std::size_t warm(std::initializer_list<T> page, const Args&... arguments) const {
    return fill(detail::pointers_to<T>(page), arguments...);
  }

  // ----------------------------------------------------------------------------------------
  // removing

  /// Removes this calculation's results for the record: all arguments, all scopes, all versions of
  /// the record. Returns when that is committed, as Cache::erase does.
  template <detail::RecordOf<T> U>
  void invalidate(const U& record) const {
    const T* const one = std::addressof(static_cast<const T&>(record));
    const auto& made = definition();
    detail::invalidate_record(
        *made.resource, detail::RecordPage<T>(*made.access, std::span(&one, 1)), *made.calculation);
  }
  /// Makes all results of this calculation invisible by one small commit, at the same cost for any
  /// number of them. Returns when that is committed. Ends the registration, as a load does.
  void invalidate_all() const {
    detail::invalidate_all(*definition().resource, *definition().calculation);
  }

  // -----------------------------------------------------------------------------------
  // introspection

  [[nodiscard]] const std::string& name() const {
    return detail::name_of(*definition().calculation);
  }
  /// The key of the record's result in the cache: "Post:42:excerpt(80)@acme". Asks the scope.
  template <detail::RecordOf<T> U>
  [[nodiscard]] std::string key(const U& record, const Args&... arguments) const {
    const T* const one = std::addressof(static_cast<const T&>(record));
    const auto& made = definition();
    const Run run(definition_, {}, arguments...);
    return detail::cache_key(*made.resource,
                             detail::RecordPage<T>(*made.access, std::span(&one, 1)), run);
  }
  /// What happened to this calculation, restarts included. Reads counters only.
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

  std::shared_ptr<const Definition> definition_;  // shares the ownership of its resource
};

/// A calculation with its arguments: what `excerpt.with(80)` returns. For Resource::load.
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
