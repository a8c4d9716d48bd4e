#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include <ashmemo/calculation.hpp>
#include <ashmemo/detail/record_access.hpp>
#include <ashmemo/detail/type_name.hpp>

namespace ashmemo {

/// One kind of record, how its key is got, and the calculations on it. Made by Registry::resource.
///
///     auto& posts = registry.resource<Post>("Post", &Post::id);
///     posts.record_version(&Post::updated_at);
///     auto word_count = posts.calculation("word_count", [](const Post& p) { return words(p); });
///     posts.cache_calculation("word_count", {.ttl = 30min});
///
///     auto [counts, moods] = posts.load(page, word_count, sentiment);
///
/// Registering ends with the first load of the resource (`cached`, `warm` and `invalidate_all` are
/// loads in this sense): afterwards `record_version`, `scope`, `calculation` and
/// `cache_calculation` are ErrorCode::misuse; so is setting `record_version` or `scope` twice.
///
/// Errors: misuse and unknown_calculation as said at each function; see Calculation for loads.
/// Invalidating is misuse in a cache that was opened read-only.
///
/// Threads: registering is for one thread at a time, before anybody loads. Everything else may be
/// called by any number of threads at once.
template <class T>
class Resource {
 public:
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  // -------------------------------------------------------------------------------------
  // registering

  /// How to tell that a record has changed: a member or a callable whose result has a Codec.
  /// Versions are only ever compared for being equal: a result that was computed of another version
  /// is a miss.
  template <class V>
    requires std::invocable<V&, const T&>
  Resource& record_version(V version) {
    detail::claim_record_version(*state_->core);
    state_->access.version = detail::version_access<T>(std::move(version));
    return *this;
  }

  /// What results depend on beside the record: a tenant, a user, a locale. Its text becomes the
  /// last part of every key: "Post:42:word_count@acme". Called once a load, on the caller's thread.
  /// It may be any type that can be part of a key.
  ///
  /// A refresh in the background has the scope of the load that asked for it, and so have the loads
  /// of this resource that its calculation makes on its thread: none of them calls this. What a
  /// refresh asks of other resources calls theirs, on the background thread. A calculation that
  /// itself reads what the scope is made from (a global tenant, say) reads it there too, and may
  /// find another: let it have that as an argument, or from the record.
  template <std::invocable S>
  Resource& scope(S scope) {
    detail::set_scope(*state_->core, detail::scope_access(std::move(scope)));
    return *this;
  }

  /// Declares a calculation: a function, lambda, function object, member function or data member.
  ///
  ///   one record      `R f(const T&)`, or `R f(const T&, args...)`
  ///   a whole batch   `std::vector<R> f(ashmemo::Records<T>)`, or with arguments; or
  ///                   `std::vector<Outcome<R>>` where single records may fail
  ///
  /// Arguments must be able to stand in a key (KeyPart). They are kept: a std::string_view or a
  /// `const char*` as a std::string, all others as they are. So no other argument may refer to what
  /// it does not own. A std::string_view in an optional or a vector does not compile; another
  /// library's view, or a class that holds one, cannot be told from an owner, compiles and dangles.
  /// A result that reads as text and has no codec of its own becomes a std::string.
  ///
  /// See Calculation for what the function must keep to. Errors: misuse for a name that is empty or
  /// taken.
  template <class F>
  auto calculation(std::string_view name, F function, CalculationOptions options = {}) {
    static_assert(detail::HasSignature<F>,
                  "ashmemo: a calculation is a callable with exactly one signature");
    using Maker = detail::DefinitionOf<T, F>;
    return typename Maker::Handle(
        declare(name, Maker::make(std::move(function)), Maker::kBatch, options));
  }

  /// Keeps the results of a calculation. By name, so that a configuration file can do it.
  /// Errors: unknown_calculation, which lists the known ones; misuse, by name, for a result without
  /// a Codec or that cannot be copied, for a second policy, and for what CachePolicy says cannot
  /// be.
  void cache_calculation(std::string_view name, const CachePolicy& policy) {
    detail::cache(*state_->core, name, policy);
  }

  // ------------------------------------------------------------------------------------------
  // asking

  /// The handle of a calculation that was declared elsewhere, by the types of its result and
  /// arguments: `posts.find<int>("word_count")`, `posts.find<std::string, int>("excerpt")`. Errors:
  /// unknown_calculation, which lists the known ones; misuse if the types are others.
  template <class R, class... Args>
  [[nodiscard]] Calculation<T, R, Args...> find(std::string_view name) const {
    using Made = detail::Definition<T, R, Args...>;
    const std::shared_ptr<void> found = detail::find(*state_->core, name, typeid(Made));
    return handle(static_cast<const Made*>(found.get()));
  }

  /// The results of several calculations for a page: a tuple with a vector for each. One lookup and
  /// one bulk write for all of them; each calculation runs at most once for what it misses. If one
  /// throws, what was computed before is kept, those after it do not run.
  template <class P, class... C>
    requires detail::PageOf<P, T>
  auto load(P&& page, const C&... calculations) const {
    return load_all(detail::pointers_to<T>(page), {}, bound(calculations)...);
  }
  template <class P, class... C>
    requires detail::PageOf<P, T>
  auto load(P&& page, const LoadOptions& options, const C&... calculations) const {
    return load_all(detail::pointers_to<T>(page), options, bound(calculations)...);
  }
  template <class... C>
  auto load(std::initializer_list<T> page, const C&... calculations) const {
    return load_all(detail::pointers_to<T>(page), {}, bound(calculations)...);
  }
  template <class... C>
  auto load(std::initializer_list<T> page, const LoadOptions& options,
            const C&... calculations) const {
    return load_all(detail::pointers_to<T>(page), options, bound(calculations)...);
  }

  // ----------------------------------------------------------------------------------------
  // removing

  /// Removes everything that is kept for the record: all calculations, arguments, scopes and
  /// versions. Returns when that is committed, as Cache::erase_prefix does.
  template <detail::RecordOf<T> U>
  void invalidate(const U& record) const {
    const T* const one = std::addressof(static_cast<const T&>(record));
    detail::invalidate_record(*state_->core, page_of_one(&one));
  }
  /// Makes the results of all calculations of this resource invisible by one small commit, at the
  /// same cost for any number of results. Returns when that is committed.
  void invalidate_all() const { detail::invalidate_all(*state_->core); }

  // -----------------------------------------------------------------------------------
  // introspection

  [[nodiscard]] const std::string& name() const noexcept { return detail::name_of(*state_->core); }
  /// All calculations, in the order of their declaration.
  [[nodiscard]] std::vector<CalculationInfo> calculations() const {
    return detail::calculations_of(*state_->core);
  }
  /// What the keys of the record's results begin with: "Post:42".
  template <detail::RecordOf<T> U>
  [[nodiscard]] std::string key(const U& record) const {
    const T* const one = std::addressof(static_cast<const T&>(record));
    return detail::record_key(*state_->core, page_of_one(&one));
  }

 private:
  friend class Registry;

  /// Handles share this: they may outlive the resource's registry.
  struct State {
    std::shared_ptr<detail::ResourceCore> core;  // owns the definitions
    detail::RecordAccess<T> access;
  };

  Resource(const std::shared_ptr<detail::ResourceCore>& core, detail::KeyAccess<T> append_key)
      : state_(std::make_shared<State>()) {
    state_->core = core;
    state_->access.append_key = std::move(append_key);
  }

  template <class R, class... Args>
  [[nodiscard]] Calculation<T, R, Args...> handle(
      const detail::Definition<T, R, Args...>* made) const {
    using Made = detail::Definition<T, R, Args...>;
    return Calculation<T, R, Args...>(std::shared_ptr<const Made>(state_, made));
  }

  template <class R, class... Args>
  [[nodiscard]] std::shared_ptr<const detail::Definition<T, R, Args...>> declare(
      std::string_view name, const std::shared_ptr<detail::Definition<T, R, Args...>>& made,
      bool takes_batches, CalculationOptions options) {
    made->access = &state_->access;
    made->resource = state_->core.get();
    made->calculation =
        &detail::declare(*state_->core, {.name = name,
                                         .version = options.version,
                                         .takes_batches = takes_batches,
                                         .storable = Storable<R>,
                                         .copyable = std::copy_constructible<R>,
                                         .optional = detail::kIsOptional<R>,
                                         .result_type = detail::type_name<R>(),
                                         .type = typeid(detail::Definition<T, R, Args...>),
                                         .typed = made});
    return {state_, made.get()};
  }

  [[nodiscard]] detail::RecordPage<T> page_of_one(const T* const* one) const {
    return {state_->access, std::span(one, 1)};
  }

  template <class R>
  static BoundCalculation<T, R> bound(const Calculation<T, R>& handle) {
    return {handle};
  }
  template <class R, class... Args>
  static const BoundCalculation<T, R, Args...>& bound(
      const BoundCalculation<T, R, Args...>& handle) {
    return handle;
  }

  template <class R, class... Args>
  [[nodiscard]] detail::TypedRun<T, R, Args...> run_of(const BoundCalculation<T, R, Args...>& bound,
                                                       std::span<const T* const> page) const {
    const auto& made = bound.calculation_.definition();
    if (made.resource != state_->core.get()) {
      detail::throw_foreign(*state_->core, *made.calculation);
    }
    return std::apply(
        [&](const Args&... arguments) {
          return detail::TypedRun<T, R, Args...>(bound.calculation_.definition_, page,
                                                 arguments...);
        },
        bound.arguments_);
  }

  template <class... Bound>
  auto load_all(std::span<const T* const> page, const LoadOptions& options,
                const Bound&... calculations) const {
    static_assert(sizeof...(Bound) > 0, "ashmemo: a load names at least one calculation");
    auto runs = std::make_tuple(run_of(calculations, page)...);
    return std::apply(
        [&](auto&... run) {
          const std::array<detail::CalculationRun*, sizeof...(Bound)> all{&run...};
          detail::load(*state_->core, detail::RecordPage<T>(state_->access, page), all, options);
          return std::make_tuple(run.take_results()...);
        },
        runs);
  }

  std::shared_ptr<State> state_;
};

}  // namespace ashmemo
