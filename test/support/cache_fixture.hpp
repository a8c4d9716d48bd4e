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

/// What the hooks of a cache were told. Any thread.
class Heard {
 public:
  void add(const Notice& notice);
  void add(const Removal& removal);

  [[nodiscard]] std::vector<Notice> notices() const;
  [[nodiscard]] int count(NoticeKind kind) const;
  /// The last one of this kind; empty texts: there was none.
  [[nodiscard]] Notice last(NoticeKind kind) const;
  /// "key cause", in the order told.
  [[nodiscard]] std::vector<std::string> removals() const;
  void clear();

 private:
  mutable std::mutex mutex_;
  std::vector<Notice> notices_;
  std::vector<std::string> removals_;
};

/// A cache in a directory of its own, whose clock stands still and whose worker works when it is
/// told to. At the end everything accepted must be in the file, the file whole and the totals those
/// of its rows.
class CacheFixture {
 public:
  explicit CacheFixture(Options given = {});
  ~CacheFixture();
  CacheFixture(const CacheFixture&) = delete;
  CacheFixture& operator=(const CacheFixture&) = delete;

  /// Opens it with `options`, if it is not open yet.
  Cache& cache();
  Cache* operator->() { return &cache(); }
  void close();
  /// Closes it and opens it with `options` as they are now.
  void reopen();
  /// Has the removals told to `heard`; before the cache is opened.
  void listen_to_removals();
  /// The worker has a thread, and the clocks are the machine's.
  void use_thread();

  /// Another program's connection, in this process.
  RawDatabase& raw();
  void close_raw() { raw_.reset(); }
  /// Another process: what the sqlite3 program prints. Its failure ends the test.
  [[nodiscard]] std::string shell(const std::string& sql) const;
  /// Whether another connection finds a row with this key.
  [[nodiscard]] bool in_file(const std::string& key);
  [[nodiscard]] std::int64_t rows_in_file();

  /// Puts `prefix`0, `prefix`1, ... with texts of this many bytes.
  void fill(const std::string& prefix, int count, std::size_t bytes = 10);
  /// The keys that a walk shows, joined by blanks.
  [[nodiscard]] std::string keys(std::string_view prefix = {});
  /// Runs the worker until it says that nothing is left to do; how often it was run.
  int run_to_the_end();

  /// Flushes and checks everything that the end checks, now.
  void check_file();
  /// The end checks nothing: the file is damaged, unwritable or somebody else's.
  void expect_no_order() { in_order_ = false; }

  TempDir dir;
  const std::string path = dir.path("cache.db");
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  Heard heard;
  Options options;
  std::int64_t worker_errors = 0;  // that the test means to cause

 private:
  void check_open_cache();
  void check_rows();

  std::unique_ptr<Cache> cache_;
  std::unique_ptr<RawDatabase> raw_;
  bool in_order_ = true;
};

/// The Error that `call` throws, if it throws one.
[[nodiscard]] std::optional<Error> thrown_by(const std::function<void()>& call);
/// The name of its code; "nothing" where none is thrown.
[[nodiscard]] std::string code_thrown_by(const std::function<void()>& call);

[[nodiscard]] bool has(const std::string& text, const std::string& part);

/// Waits until it is true, for what a worker's thread does by itself, in its own time. False: not
/// within five minutes, on a machine that has other things to do.
[[nodiscard]] bool becomes_true(const std::function<bool()>& condition);

/// prefix0 ... prefix(count - 1)
[[nodiscard]] std::vector<std::string> numbered(const std::string& prefix, int count);

}  // namespace ashmemo::test
