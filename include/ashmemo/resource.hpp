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

/// One kind of record: how to get its key, and the calculations on it. Registry::resource creates
/// it.
///
///     auto& posts = registry.resource<Post>("Post", &Post::id);
///     posts.record_version(&Post::updated_at);
///     auto word_count = posts.calculation("word_count", [](const Post& p) { return words(p); });
///     posts.cache_calculation("word_count", {.ttl = 30min});
///
///     auto [counts, moods] = posts.load(page, word_count, sentiment);
///
/// The first load of the resource ends the registration; `cached`, `warm` and `invalidate_all`
/// count as loads here. Afterwards `record_version`, `scope`, `calculation` and `cache_calculation`
/// are ErrorCode::misuse. Setting `record_version` or `scope` twice is misuse too.
///
/// Errors: misuse and unknown_calculation as described at each function. Calculation describes the
/// errors of loads. Invalidating is misuse in a cache that is open read-only.
///
/// Threads: one thread registers, before other threads load. Any number of threads may call all
/// other functions at once.
template <class T>
class Resource {
 public:
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  // -------------------------------------------------------------------------------------
  // registering

  /// Sets the version of a record: a member, or a callable that takes the record. Its result needs
  /// a Codec. Versions are only compared for equality. A result that was computed from another
  /// version is a miss.
  template <class V>
  Resource& record_version(V version) {
    constexpr bool is_version = detail::VersionOf<V, T>;
    static_assert(is_version,
                  "ashmemo: record_version takes a member of the record or a callable that takes "
                  "`const T&`, and its result needs an ashmemo::Codec");
    if constexpr (is_version) {
      detail::claim_record_version(*state_->core);
      state_->access.version = detail::version_access<T>(std::move(version));
    }
    return *this;
  }

  /// Sets the scope: everything on which results depend besides the record, such as a tenant, a
  /// user or a locale. Its text becomes the last part of every key: "Post:42:word_count@acme". It
  /// may be any type that can be part of a key. The function is called once for each load, on the
  /// calling thread.
  ///
  /// A background refresh uses the scope of the load that queued it. So do loads of this resource
  /// that its calculation makes on its thread; they do not call the function. Loads of other
  /// resources call the functions of those resources, on the background thread. A calculation that
  /// reads the source of the scope itself (a global tenant, for example) also reads it there, and
  /// may find another value. Give it that value as an argument, or in the record.
  ///
  /// Warning: a calculation may wait for other tasks in a refresh, and its thread may run some of
  /// them meanwhile, as work-stealing pools do. Their loads then use the scope of the refresh.
  template <std::invocable S>
  Resource& scope(S scope) {
    detail::set_scope(*state_->core, detail::scope_access(std::move(scope)));
    return *this;
  }

  /// Declares a calculation: a function, lambda, function object, member function or data member.
  ///
  ///   one record      `R f(const T&)`, or `R f(const T&, args...)`
  ///   a whole batch   `std::vector<R> f(ashmemo::Records<T>)`, or with arguments; or
  ///                   `std::vector<Outcome<R>>` if single records may fail
  ///
  /// Arguments must be possible parts of a key (KeyPart). The library keeps copies of them: a
  /// std::string_view or a `const char*` as a std::string, all others as their own type. So no
  /// other argument may refer to an object that it does not own. A std::string_view in an optional
  /// or a vector does not compile. A view class of another library, or a class that contains one,
  /// looks like an owner: it compiles and dangles. A result that is text and has no Codec of its
  /// own becomes a std::string.
  ///
  /// Calculation describes the rules for the function. Errors: misuse for a name that is empty or
  /// declared already.
  template <class F>
  auto calculation(std::string_view name, F function, CalculationOptions options = {}) {
    constexpr bool has_signature = detail::HasSignature<F>;
    static_assert(has_signature,
                  "ashmemo: a calculation is a callable with exactly one signature; a lambda with "
                  "`auto` parameters has many, so write out their types");
    if constexpr (has_signature) {
      using Maker = detail::DefinitionOf<T, F>;
      return typename Maker::Handle(
          declare(name, Maker::make(std::move(function)), Maker::kBatch, options));
    }
  }

  /// Caches the results of a calculation. It takes the name, so a configuration file can choose it.
  /// Errors: unknown_calculation, which lists the known names; misuse for a result without a Codec
  /// or that cannot be copied, for a second policy, and for an impossible policy (see CachePolicy).
  void cache_calculation(std::string_view name, const CachePolicy& policy) {
    detail::cache(*state_->core, name, policy);
  }

  // ------------------------------------------------------------------------------------------
  // asking

  /// The handle of a declared calculation, by the types of its result and its arguments:
  /// `posts.find<int>("word_count")`, `posts.find<std::string, int>("excerpt")`.
  /// Errors: unknown_calculation, which lists the known names; misuse if the types differ.
  template <class R, class... Args>
  [[nodiscard]] Calculation<T, R, Args...> find(std::string_view name) const {
    using Made = detail::Definition<T, R, Args...>;
    const std::shared_ptr<void> found = detail::find(*state_->core, name, typeid(Made));
    return handle(static_cast<const Made*>(found.get()));
  }

  /// The results of several calculations for a page: a tuple with a vector for each calculation. If
  /// one throws, the results before it are stored, and the calculations after it do not run.
  /// Cost: one look-up and one bulk write for all; each calculation runs at most once, for the
  /// records that miss.
  template <class P, class... C>
  auto load(P&& page, const C&... calculations) const {
    return load_all(detail::pointers_to<T>(page), {}, bound(calculations)...);
  }
  template <class P, class... C>
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

  /// Removes all results of the record: all calculations, arguments, scopes and versions. Returns
  /// when the removal is committed, as Cache::erase_prefix does.
  template <class U>
  void invalidate(const U& record) const {
    const T* const one = detail::pointer_to<T>(record);
    detail::invalidate_record(*state_->core, page_of_one(&one));
  }
  /// Makes the results of all calculations of this resource invisible with one small commit.
  /// Returns when that is committed. Cost: the same for any number of results.
  void invalidate_all() const { detail::invalidate_all(*state_->core); }

  // -----------------------------------------------------------------------------------
  // introspection

  [[nodiscard]] const std::string& name() const noexcept { return detail::name_of(*state_->core); }
  /// All calculations, in the order of their declaration.
  [[nodiscard]] std::vector<CalculationInfo> calculations() const {
    return detail::calculations_of(*state_->core);
  }
  /// The prefix of the keys of the record's results: "Post:42".
  template <class U>
  [[nodiscard]] std::string key(const U& record) const {
    const T* const one = detail::pointer_to<T>(record);
    return detail::record_key(*state_->core, page_of_one(&one));
  }

 private:
  friend class Registry;

  /// Handles share this, because they may outlive the registry of the resource.
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
                                         .result_type = detail::signature_name<R, Args...>(),
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
    static_assert(sizeof...(Bound) > 0, "ashmemo: a load needs at least one calculation");
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
