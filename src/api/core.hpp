#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ashmemo/detail/core.hpp>
#include <ashmemo/detail/typed.hpp>
#include <ashmemo/options.hpp>
#include <ashmemo/stats.hpp>

#include "engine/engine.hpp"
#include "engine/freshness.hpp"
#include "maintenance/worker.hpp"

namespace ashmemo::detail {

/// One open cache: the shared state and the worker on it. Held by the Cache, by registries and by
/// calculation handles, so that a handle may outlive them: it then computes without a cache.
class Core {
 public:
  Core(std::string path, Options options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  void close();

  // What Cache's calls of these names do.
  [[nodiscard]] Stats stats() const;
  [[nodiscard]] Health health() const;
  [[nodiscard]] CheckReport check();
  void backup(const std::string& target);
  [[nodiscard]] std::optional<EntryInfo> entry(std::string_view key);
  void visit(std::string_view prefix, const EntryVisitor& visit);
  [[nodiscard]] std::vector<StoredCalculation> calculations();

  /// Runs one of the worker's administrative calls; its failure is an Error (store_failed).
  void administer(std::string_view call, base::Status (maintenance::Worker::*work)());
  std::size_t erase_range(engine::Range::Kind kind, std::string_view prefix);
  /// Error (closed), or misuse inside a hook.
  void require_administrable(std::string_view call) const;
  /// Error (misuse) inside a hook of any cache.
  void require_not_in_hook(std::string_view call) const;

  engine::Engine engine;
  maintenance::Worker worker;

 private:
  [[nodiscard]] std::shared_ptr<store::Store> require_store(std::string_view call) const;
};

/// Error (invalid_key) unless `key` may be a key: 1 byte to 4 KiB, no NUL.
void require_key(std::string_view key);

/// The lifetimes that a ttl means; Error (misuse) unless it is positive.
[[nodiscard]] engine::Lifetimes lifetimes_of(const PutOptions& options);

}  // namespace ashmemo::detail
