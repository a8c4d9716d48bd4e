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

/// Threads that put, read, compute, load and remove at once until they are stopped, and judge what
/// they read. Each has keys of its own ("t2 17") and knows what must be found there: what it has
/// stored last. All read the shared keys ("k17"), which none of them changes.
class CheckingThreads {
 public:
  struct Work {
    int threads = 4;
    int own_keys = 50;             // of each
    std::size_t most_bytes = 300;  // of a value of these
    /// Somebody else removes entries or loses the file, so that nothing is right, too; or puts
    /// foreign_value(key) there.
    bool is_disturbed = false;
  };

  /// What they read in the cache, before they begin.
  static void store_shared(Cache& cache);
  [[nodiscard]] static std::vector<std::string> shared_keys();
  [[nodiscard]] static std::string foreign_value(const std::string& key) {
    return "foreign " + key;
  }

  CheckingThreads(Cache& cache, Work work);
  ~CheckingThreads();
  CheckingThreads(const CheckingThreads&) = delete;
  CheckingThreads& operator=(const CheckingThreads&) = delete;

  /// Until each of them has done so many calls from now on. False: they did not within minutes.
  [[nodiscard]] bool go_on(int calls) const;
  void stop();

  // After the end.

  /// What was wrong, a line each; empty: nothing.
  [[nodiscard]] std::string wrong() const;
  [[nodiscard]] std::int64_t calls() const;
  [[nodiscard]] std::int64_t hits() const;          // of the shared keys
  [[nodiscard]] std::int64_t refused() const;       // puts that were not taken
  [[nodiscard]] std::int64_t longest_call() const;  // microseconds
  /// What must be in the file under their own keys, if nobody disturbs them.
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
