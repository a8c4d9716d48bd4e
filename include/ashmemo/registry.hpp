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

/// The resources of a program, by name, with their calculations. It is a layer on a Cache.
///
///     ashmemo::Cache cache{"blog.cache.db"};
///     ashmemo::Registry registry{cache};
///     auto& posts = registry.resource<Post>("Post", &Post::id);
///
/// Life: the registry and every handle of a calculation own the parts of the cache that they need.
/// After the cache is closed or destroyed, handles compute.
///
/// Limits: a file has at most 10,000 calculations. Beyond that, a new one removes the calculation
/// with the fewest reads that this process does not use, and its results. If this process uses
/// 10,000, the first load of another resource is ErrorCode::misuse. So put data into arguments, not
/// into names.
///
/// Errors: ErrorCode::misuse, which names the resource.
///
/// Threads: while one thread calls `resource`, no other thread may use the registry. Any number of
/// threads may call the other functions at once.
class Registry {
 public:
  /// Errors: misuse for a cache that was moved from.
  explicit Registry(Cache& cache);

  /// Declares a kind of record. `key` identifies a record: one or several members or callables, or
  /// a callable that returns a std::tuple. Each part must be a possible part of a key (KeyPart).
  /// The reference is valid as long as the registry lives.
  /// Errors: misuse for a name that is empty or declared already.
  template <class T, class... K>
  Resource<T>& resource(std::string_view name, K... key) {
    static_assert(sizeof...(K) > 0, "ashmemo: a resource needs a key that identifies its records");
    static_assert((std::invocable<K&, const T&> && ...),
                  "ashmemo: the key of a resource is a member of it, or takes `const T&`");
    static_assert(std::same_as<T, std::remove_cvref_t<T>>,
                  "ashmemo: the type of a resource must not be a reference or const");
    const detail::RecordTraits traits{.copyable = std::copy_constructible<T>,
                                      .polymorphic = std::is_polymorphic_v<T>};
    require_new(name);
    std::shared_ptr<Resource<T>> made(new Resource<T>(detail::make_resource(core_, name, traits),
                                                      detail::key_access<T>(std::move(key)...)));
    resources_.push_back({std::string(name), typeid(Resource<T>), made});
    return *made;
  }

  /// The resource of this name.
  /// Errors: misuse for an unknown name (lists the known names), or for another type of record.
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
