#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <ashmemo/detail/core.hpp>
#include <ashmemo/options.hpp>
#include <ashmemo/stats.hpp>

#include "engine/engine.hpp"
#include "engine/freshness.hpp"
#include "engine/write_queue.hpp"
#include "maintenance/worker.hpp"

// The folder api is the compiled half of the public headers. It owns the open cache (core), the
// registered resources and calculations, and loads. It turns failures of the engine into Error, and
// runs user code: calculations, loaders, codecs, keys, scopes.
//
// Mutexes: only ResourceCore has one, for the first load of a resource. No mutex is locked while
// user code runs.
//
// Threads: calls come from any thread. Refreshes run on the engine's background threads or on the
// program's executor.

namespace ashmemo::detail {

/// One open cache: the engine and its worker. The Cache, registries and calculation handles share
/// it, so a handle can outlive the Cache. It then computes without a cache.
class Core {
 public:
  Core(std::string path, Options options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  /// A second caller waits until the first one has released the file, except in a hook or a
  /// refresh.
  void close();

  // The calls of Cache of the same names.
  [[nodiscard]] Stats stats() const;
  [[nodiscard]] Health health() const;
  [[nodiscard]] CheckReport check();
  void backup(const std::string& target);

  /// Runs one of the worker's administrative calls. Throws Error (store_failed) if it fails.
  void administer(std::string_view call, base::Status (maintenance::Worker::*work)());
  std::size_t erase_range(engine::Range::Kind kind, std::string_view prefix);
  /// Throws Error: closed, or misuse inside a hook.
  void require_administrable(std::string_view call) const;
  /// Throws Error (misuse) inside a hook of any cache.
  void require_not_in_hook(std::string_view call) const;

  engine::Engine engine;
  maintenance::Worker worker;

 private:
  void wait_until_released() const;
  void report_running_refresh();
  [[nodiscard]] std::shared_ptr<store::Store> flushed_store(std::string_view call);

  std::atomic<std::thread::id> closing_thread_;
  std::atomic<bool> released_{false};  // close has released the file
};

/// Throws Error (invalid_key) unless `key` may be a key: 1 byte to 4 KiB, no NUL.
void require_key(std::string_view key);

/// The lifetimes of a value with this ttl. Throws Error (misuse) unless the ttl is longer than 0.
[[nodiscard]] engine::Lifetimes lifetimes_of(const PutOptions& options);

}  // namespace ashmemo::detail
