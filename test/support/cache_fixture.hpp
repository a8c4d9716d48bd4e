#pragma once

#include <ashmemo/cache.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/raw_database.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {

/// Records the notices and removals that a cache passes to its hooks. Threads: any.
class Heard {
 public:
  void add(const Notice& notice);
  void add(const Removal& removal);

  [[nodiscard]] std::vector<Notice> notices() const;
  [[nodiscard]] int count(NoticeKind kind) const;
  /// The last notice of this kind. Its texts are empty if there was none.
  [[nodiscard]] Notice last(NoticeKind kind) const;
  /// The removals as "key cause", in the order of the calls of the hook.
  [[nodiscard]] std::vector<std::string> removals() const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::vector<Notice> notices_;
  std::vector<std::string> removals_;
};

/// Options without a memory tier. The worker runs only when the test calls it.
[[nodiscard]] Options manual_options(std::shared_ptr<Clock> clock);

/// A cache in its own directory. Its clock moves only when the test advances it, and its worker
/// runs only when the test calls it. The destructor checks that all accepted writes are in the
/// file, that the file is intact, and that its totals match its rows.
class CacheFixture {
 public:
  explicit CacheFixture(Options given = {});
  ~CacheFixture();
  CacheFixture(const CacheFixture&) = delete;
  CacheFixture& operator=(const CacheFixture&) = delete;

  /// Returns the cache. Opens it with `options` if it is not open.
  Cache& cache();
  Cache* operator->() { return &cache(); }
  void close();
  /// Closes the cache and opens it with the current `options`.
  void reopen();
  /// Records removals in `heard`. Call this before the cache is opened.
  void listen_to_removals();
  /// Uses a worker thread and the clocks of the machine. Call this before the cache is opened.
  void use_thread();

  /// A connection of plain SQLite to the file, as another program would have, but in this process.
  RawDatabase& raw();
  void close_raw() { raw_.reset(); }
  /// Runs SQL with the program `sqlite3` and returns its output. Throws if the program fails.
  [[nodiscard]] std::string shell(const std::string& sql) const;
  /// Whether `raw` finds a row with this key.
  [[nodiscard]] bool in_file(const std::string& key);
  [[nodiscard]] std::int64_t rows_in_file();

  /// Puts the keys `prefix`0, `prefix`1, ... with texts of `bytes` bytes.
  void fill(const std::string& prefix, int count, std::size_t bytes = 10);
  /// The keys that `for_each` visits, separated by blanks.
  [[nodiscard]] std::string keys(std::string_view prefix = {});
  /// Runs the worker until it has nothing left to do. Returns the number of runs.
  int run_to_the_end();

  /// Flushes, and checks the same as the destructor.
  void check_file();
  /// Turns off the checks in the destructor, because the file is damaged, read-only or not a cache.
  void expect_no_order() { in_order_ = false; }

  TempDir dir;
  const std::string path = dir.path("cache.db");
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  Heard heard;
  Options options;
  std::int64_t worker_errors = 0;  // expected by the test

 private:
  void check_open_cache();
  void check_rows();

  std::unique_ptr<Cache> cache_;
  std::unique_ptr<RawDatabase> raw_;
  bool in_order_ = true;
};

/// The Error that `call` throws; nullopt if it throws none.
[[nodiscard]] std::optional<Error> thrown_by(const std::function<void()>& call);
/// The name of the code of that Error; "nothing" if `call` throws none.
[[nodiscard]] std::string code_thrown_by(const std::function<void()>& call);

[[nodiscard]] bool has(const std::string& text, const std::string& part);

/// Waits until the condition is true. For work that a worker thread starts by itself. Returns false
/// after five minutes, which is enough for a busy machine.
[[nodiscard]] bool becomes_true(const std::function<bool()>& condition);

/// prefix0 ... prefix(count - 1)
[[nodiscard]] std::vector<std::string> numbered(const std::string& prefix, int count);

}  // namespace ashmemo::test
