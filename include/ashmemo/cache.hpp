#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <ashmemo/codec.hpp>
#include <ashmemo/detail/core.hpp>
#include <ashmemo/detail/typed.hpp>
#include <ashmemo/entry.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/keys.hpp>
#include <ashmemo/options.hpp>
#include <ashmemo/put_options.hpp>
#include <ashmemo/stats.hpp>

namespace ashmemo {

/// A cache in one SQLite file, inside this process. It stores values under keys. A Registry on top
/// of it stores the results of calculations on records.
///
/// Life of an entry: see Freshness. An entry is also evicted when a limit is exceeded.
///
/// Keys: 1 byte to 4 KiB, no NUL; any other key is an Error (invalid_key). Keys of calculations
/// ("Post:42:word_count") and keys of direct puts share one space.
///
/// Writes: one worker writes the file. `put` gives a value to it, and every later read sees the
/// value. With Durability::relaxed `put` returns at once; it waits at most `max_wait` if the queue
/// is full. Removals return when they are committed, with any durability, because a removal that a
/// crash undoes would be a wrong answer. (A power cut can undo a removal, unless the durability is
/// `power`.) If the store refuses to write for `max_wait`, a removal returns uncommitted. It is
/// still in force in this process, and `on_error` reports it.
///
/// Reads: never wait for the writer. A value that does not decode is a miss, and is counted.
///
/// Types: a value that is put directly keeps only its SQLite type, not its C++ type. A value that
/// was put as 90 s is read as 90 ms by a program that asks for milliseconds. A vector of float is
/// read as a vector of bytes, and one enum as another. If the type of a value changes, use another
/// key. Results of calculations know their type: see codec.hpp.
///
/// Damage: each entry has a checksum. An entry that does not match it is a miss, is counted, and is
/// removed.
///
/// Errors: a broken cache does not break the program. Because of the store, only the explicit
/// administration throws (`flush`, `backup`, `check`, `compact`). See ErrorCode, health() and
/// Hooks::on_error.
///
/// Threads: any thread may call any function at any time, except moving and destroying. A hook may
/// move or destroy only caches that it has created itself. Each key is linearizable. Batches are
/// not atomic against each other. A cache that was moved from can only be assigned to or destroyed.
class Cache {
 public:
  /// Opens or creates the cache file. A relative path is resolved against the current folder at
  /// this moment. Its folder must exist; if it is missing, that is reported as `unavailable`.
  /// Errors: invalid_options, also for the paths ":memory:" and "file:..."; file_in_use;
  /// not_a_cache (the file is not touched); unavailable, and damaged for a read-only file, if
  /// `when_unavailable` is `throw_error`. Cost: independent of the number of entries, except for
  /// the first opening of a file of format 1, which reads all entries (about a second for a million
  /// entries with a ttl).
  explicit Cache(std::string path, Options options = {});
  /// Calls close().
  ~Cache();
  Cache(Cache&&) noexcept;
  Cache& operator=(Cache&&) noexcept;

  // ----------------------------------------------------------------------------------------
  // reading

  /// The value of `key`; nullopt if there is no live entry. Counts one hit or miss, and marks one
  /// touch.
  template <class T>
  [[nodiscard]] std::optional<T> get(std::string_view key) const {
    detail::require_storable<T>();
    detail::DecodingOne<T> sink;
    detail::get_many(*core_, std::span(&key, 1), sink);
    return sink.take_result();
  }

  /// The values of `keys`, in the same order; nullopt if there is no live entry. Counts and marks
  /// each key. Cost: one look-up for the whole batch (one state of the file for each 10,000 keys);
  /// a key that occurs twice is read once.
  template <class T>
  [[nodiscard]] std::vector<std::optional<T>> get_many(const Keys& keys) const {
    detail::require_storable<T>();
    detail::DecodingSink<T> sink(keys.size());
    detail::get_many(*core_, keys.views(), sink);
    return sink.take_results();
  }

  /// Whether there is a live entry. Counts nothing and marks no touch.
  [[nodiscard]] bool contains(std::string_view key) const;

  /// Describes an entry; nullopt if the key has no entry. It also describes stale entries, and
  /// entries that are kept for errors. Counts nothing and marks no touch.
  [[nodiscard]] std::optional<EntryInfo> entry(std::string_view key) const;

  /// Calls `visit` for each entry whose key begins with `prefix`, except `gone` ones, in the order
  /// of the keys. `visit` takes an EntryInfo, or an EntryInfo and a ValueView of the stored value,
  /// which is valid during the call. It returns nothing, or false to stop. It may call the cache:
  /// for_each reads pages of entries, and `visit` runs between the reads. Changes made meanwhile
  /// may or may not be seen. Counts nothing.
  template <class F>
  void for_each(std::string_view prefix, F&& visit) const {
    visit_pages(prefix, detail::entry_visitor(visit));
  }

  /// The calculations that have results in this file, of any program, in the order of their ids.
  /// Their counters are those that were last written to the file, as `cache_by_calculation` shows
  /// them. Empty if the file cannot be read. Counts nothing.
  /// Cost: a query with one row for each calculation. Use it in tools, not for each request.
  [[nodiscard]] std::vector<StoredCalculation> calculations() const;

  // ----------------------------------------------------------------------------------------
  // writing

  /// Stores `value` under `key` and replaces an older value. True: the queue has it (`relaxed`) or
  /// the file has it (`commit`, `power`). False: it is not stored, and counted as refused (too
  /// large, or over a limit under Eviction::none), dropped (the queue is full, or no file) or
  /// unencodable (its Codec threw). A refused or unencodable value still removes the older value of
  /// the key; a dropped value may leave the older value in place.
  /// Errors: invalid_key; misuse for a ttl that is not longer than 0.
  template <class T>
  bool put(std::string_view key, const T& value, PutOptions options = {}) {
    detail::EncodedPut one{key, detail::try_encode(value)};
    return detail::put_many(*core_, std::span(&one, 1), options) == 1;
  }

  /// Stores pairs of a key and a value, in their order; the later of two equal keys wins. The keys
  /// must live until the call returns. Returns how many were stored, as `put` counts them.
  /// Cost: transactions of at most 1,000 rows or 4 MiB.
  template <detail::PairRange P>
  std::size_t put_many(const P& pairs, PutOptions options = {}) {
    std::vector<detail::EncodedPut> puts;
    if constexpr (requires { std::size(pairs); }) {
      puts.reserve(static_cast<std::size_t>(std::size(pairs)));
    }
    for (const auto& [key, value] : pairs) {
      puts.push_back({std::string_view(key), detail::try_encode(value)});
    }
    return detail::put_many(*core_, puts, options);
  }
  template <class T>
  std::size_t put_many(std::initializer_list<std::pair<std::string_view, T>> pairs,
                       PutOptions options = {}) {
    return put_many(std::span(pairs.begin(), pairs.size()), options);
  }

  // ----------------------------------------------------------------------------------------
  // memoizing

  /// The value of `key`. If the key has no live entry, calls `compute()`, stores its result and
  /// returns it. An exception of `compute` reaches the caller, and nothing is stored. Callers that
  /// ask for the same key at the same time share one computation.
  /// Errors: cycle if `compute` asks for its own key, directly or through others; invalid_key;
  /// misuse.
  template <std::invocable F>
  auto get_or_compute(std::string_view key, F&& compute, PutOptions options = {})
      -> stored_t<std::invoke_result_t<F&>> {
    using T = stored_t<std::invoke_result_t<F&>>;
    auto all = [&](std::span<const std::string_view>) {
      std::vector<T> one;
      one.push_back(detail::owned_result<T>(compute()));
      return one;
    };
    return std::move(get_or_compute_many<T>(std::span(&key, 1), all, options).front());
  }

  /// The values of `keys`, in the same order. Calls `compute` once with the keys that missed, each
  /// once, as std::span<const std::string_view>. It returns a std::vector of their values in that
  /// order. The values are stored in one bulk write.
  /// Errors: wrong_number_of_results; those of get_or_compute.
  template <class T, class F>
  std::vector<T> get_or_compute_many(const Keys& keys, F&& compute, PutOptions options = {}) {
    detail::require_storable<T>();
    detail::LoaderRun<T, std::remove_reference_t<F>> run(keys.views(), compute);
    detail::get_or_compute(*core_, keys.views(), run, options);
    return run.take_results();
  }

  // ---------------------------------------------------------------------------------------
  // touching

  /// Marks the entry as read now, without reading its value. False: there is no live entry.
  bool touch(std::string_view key);
  /// Touches several entries in one look-up; returns how many were live.
  std::size_t touch_many(const Keys& keys);

  // ---------------------------------------------------------------------------------------
  // removing. Errors: invalid_key; misuse if the cache is open read-only.

  /// Removes the entry; true if it was live. Returns when the removal is committed (see above).
  bool erase(std::string_view key);
  /// Removes several entries; returns how many were live. Duplicates and unknown keys are no error.
  std::size_t erase_many(const Keys& keys);
  /// Removes every entry whose key begins with `prefix`, which must not be empty. Takes several
  /// bounded transactions; this process sees the removal from the start. Returns the number of
  /// removed rows.
  std::size_t erase_prefix(std::string_view prefix);
  /// Removes everything; returns the number of rows. Fast if there is no on_removal hook.
  std::size_t clear();

  // ----------------------------------------------------------------------------------
  // administration. Errors of all calls that use the file: closed; misuse inside a hook. In a cache
  // that is open read-only, `flush` and `compact` only call Hooks::on_error. There the hooks run
  // during these two calls, and during `run_maintenance` (which looks at the file at once),
  // `check`, `backup` and `close`.

  [[nodiscard]] Stats stats() const;
  [[nodiscard]] Health health() const;
  /// The limits as they were given. A limit that was not set is still not set.
  [[nodiscard]] Limits limits() const;
  /// Sets new limits. A limit that is not set gets its default. The worker enforces them at once.
  /// Errors: invalid_options; nothing has changed then.
  void set_limits(Limits limits);

  /// Returns when all work accepted until now is in the file, touches included, and the limits
  /// hold. It does not sync the file: only Durability::power survives a power cut. Errors:
  /// store_failed if the file cannot be written, for example while a long read keeps a long
  /// write-ahead log from starting over. The accepted work stays queued.
  void flush();
  /// Does a part of the worker's work, for at most about `budget`. True: there is more to do. In
  /// manual mode the work is done only by this call, `flush`, `compact`, `check`, `backup`, `close`
  /// and calls that would otherwise wait for the worker.
  bool run_maintenance(Duration budget = std::chrono::milliseconds(10));
  /// Finishes the work that the worker does in parts: removes expired entries, returns all free
  /// pages to the system, and truncates the write-ahead log. Errors: store_failed.
  void compact();
  /// Searches the whole file for damage, recounts the totals and corrects them. Slow.
  /// Errors: store_failed if the file cannot be read, or if accepted work cannot be written first.
  CheckReport check();
  /// Copies the current content to a new file with mode 0600. Errors: invalid_options for the same
  /// names as in the constructor; store_failed if accepted work cannot be written first, if
  /// `target` exists, if its file system has too little space (the message says how much is
  /// necessary), if its name has more than 226 bytes, or if copying fails.
  void backup(const std::string& target);
  /// Writes accepted work, stops the worker and releases the file. Drops queued refreshes, and
  /// waits for those that run on the cache's own threads, at most for Timing::close_wait. A refresh
  /// that hangs longer is reported (NoticeKind::calculation_failed) and goes on alone: what its
  /// calculation uses must live until it ends. Other running calculations continue and return their
  /// values. Afterwards reads miss, writes return false and calculations compute. Closing twice is
  /// no error: while another thread closes, the call waits until the file is released, except in a
  /// refresh. Errors: misuse in a hook of any cache.
  void close();

 private:
  friend class Registry;
  void visit_pages(std::string_view prefix, const detail::EntryVisitor& visit) const;

  std::shared_ptr<detail::Core> core_;
};

}  // namespace ashmemo
