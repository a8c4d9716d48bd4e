#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include <ashmemo/cache.hpp>
#include <ashmemo/resource.hpp>

namespace ashmemo {

/// The kinds of record of a program, by name, with the calculations on them: a layer on a Cache.
///
///     ashmemo::Cache cache{"blog.cache.db"};
///     ashmemo::Registry registry{cache};
///     auto& posts = registry.resource<Post>("Post", &Post::id);
///
/// Life: the registry and every handle of a calculation keep what they need of the cache. Once the
/// cache is closed or destroyed, handles compute.
///
/// Errors: ErrorCode::misuse, by name.
///
/// Threads: `resource` is for one thread at a time, with nobody else using the registry; the rest
/// may be called by any number of threads at once.
class Registry {
 public:
  /// Errors: misuse for a cache that was moved from.
  explicit Registry(Cache& cache);

  /// Declares a kind of record. `key` tells records apart: one or several members or callables, or
  /// a callable that returns a std::tuple; each part can stand in a key (see KeyPart). The
  /// reference is good for as long as the registry lives. Errors: misuse for a name that is empty
  /// or taken.
  template <class T, class... K>
  Resource<T>& resource(std::string_view name, K... key) {
    static_assert(sizeof...(K) > 0, "ashmemo: a resource needs a key that tells its records apart");
    static_assert((std::invocable<K&, const T&> && ...),
                  "ashmemo: the key of a resource is a member of it, or takes `const T&`");
    static_assert(std::same_as<T, std::remove_cvref_t<T>>,
                  "ashmemo: a resource is of a plain type: no reference, no const");
    const detail::RecordTraits traits{.copyable = std::copy_constructible<T>,
                                      .polymorphic = std::is_polymorphic_v<T>};
    require_new(name);
    std::shared_ptr<Resource<T>> made(new Resource<T>(detail::make_resource(core_, name, traits),
                                                      detail::key_access<T>(std::move(key)...)));
    resources_.push_back({std::string(name), typeid(Resource<T>), made});
    return *made;
  }

  /// What `resource` returned for this name.
  /// Errors: misuse for a name that is unknown (lists the known ones), or declared for another
  /// type.
  template <class T>
  [[nodiscard]] Resource<T>& find_resource(std::string_view name) const {
    return *static_cast<Resource<T>*>(find(name, typeid(Resource<T>)));
  }

  /// The names of all resources, in the order of their declaration.
  [[nodiscard]] std::vector<std::string> resources() const;

 private:
  struct Known {
    std::string name;
    std::type_index type;
    std::shared_ptr<void> resource;
  };
  void require_new(std::string_view name) const;
  [[nodiscard]] void* find(std::string_view name, std::type_index type) const;

  std::shared_ptr<detail::Core> core_;
  std::vector<Known> resources_;
};

}  // namespace ashmemo
