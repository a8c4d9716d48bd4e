#pragma once

#include <ashmemo/cache.hpp>
#include <ashmemo/registry.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ashmemo::test {

/// Threads that put, read, compute, load and erase at once until they are stopped, and check the
/// values that they read. Each thread has its own keys ("t2 17") and knows the value that it stored
/// last. All threads read the shared keys ("k17"), which no thread changes.
class CheckingThreads {
 public:
  struct Work {
    int threads = 4;
    int own_keys = 50;            // per thread
    std::size_t max_bytes = 300;  // per value of these
    /// The test removes entries, loses the file, or stores foreign_value(key) from outside. So a
    /// miss and a foreign value are also correct.
    bool is_disturbed = false;
  };

  /// Stores the shared keys. Call this before the threads start.
  static void store_shared(Cache& cache);
  [[nodiscard]] static std::vector<std::string> shared_keys();
  [[nodiscard]] static std::string foreign_value(const std::string& key) {
    return "foreign " + key;
  }

  CheckingThreads(Cache& cache, Work work);
  ~CheckingThreads();
  CheckingThreads(const CheckingThreads&) = delete;
  CheckingThreads& operator=(const CheckingThreads&) = delete;

  /// Waits until each thread has made this many more calls. Returns false after five minutes.
  [[nodiscard]] bool go_on(int calls) const;
  void stop();

  // Results; call these after `stop`.

  /// A line for each wrong result; empty if all were correct.
  [[nodiscard]] std::string wrong() const;
  [[nodiscard]] std::int64_t calls() const;
  [[nodiscard]] std::int64_t hits() const;          // on shared keys
  [[nodiscard]] std::int64_t refused() const;       // puts that were not accepted
  [[nodiscard]] std::int64_t longest_call() const;  // microseconds
  /// The values that the file must contain under the own keys, if `is_disturbed` is false.
  [[nodiscard]] std::map<std::string, std::string> stored() const;

 private:
  class Caller;
  struct Item {
    std::int64_t id = 0;
  };
  static std::string text_of(const Item& item);

  Cache& cache_;
  const Work work_;
  Registry registry_;
  Resource<Item>& items_;
  Calculation<Item, std::string> text_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::vector<std::thread> threads_;
};

}  // namespace ashmemo::test
