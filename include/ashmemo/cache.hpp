#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
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
#include <ashmemo/options.hpp>
#include <ashmemo/put_options.hpp>
#include <ashmemo/stats.hpp>

namespace ashmemo {

/// A range of things that read as keys: strings, string views, character pointers. Not one that
/// makes its strings as it is read, and of strings none that can be read only once (a stream may
/// read them all into one object): they would be gone when they are looked up.
template <class K>
concept KeyRange = !std::convertible_to<const K&, std::string_view> && requires(const K& keys) {
  { *std::begin(keys) } -> detail::LastingKey<detail::IteratorOf<const K>>;
  std::end(keys);
};

/// A cache in one SQLite file, inside this process. It keeps values under keys; a Registry on top
/// of it keeps the results of calculations on records.
///
/// Life of an entry: see Freshness. An entry also leaves by eviction when a limit is passed.
///
/// Keys: 1 byte to 4 KiB, no NUL; anything else is an Error (invalid_key). Keys of calculations
/// ("Post:42:word_count") share the space with keys of direct puts.
///
/// Writes: one worker writes the file. `put` hands a value to it; from then on every read sees it.
/// With Durability::relaxed `put` returns at once; it waits at most `max_wait` for room in the
/// queue. Removals return when they are committed, whatever the durability: a removal that a crash
/// undoes is a wrong answer (a power cut may undo one, unless the durability is `power`). Only when
/// the store has refused to write for `max_wait` do they return before; they hold in this process
/// all the same, and `on_error` says so.
///
/// Reads: never wait for the writer. A value of another type than asked for is a miss, counted.
///
/// Types: a value that is put directly keeps which of SQLite's five types it is, and nothing more of
/// its C++ type. What was put as 90 s is read as 90 ms by a program that asks for milliseconds, a
/// vector of float as a vector of bytes, one enum as another. If the type of a value changes, use
/// another key. Results of calculations know their type: see codec.hpp.
///
/// Damage: each entry has a checksum. One that does not match is a miss, counted, and removed.
///
/// Errors: a broken cache never breaks its user. Nothing here throws because of the store but the
/// explicit administration (`flush`, `backup`, `check`, `compact`); see ErrorCode, health() and
/// Hooks::on_error.
///
/// Threads: everything may be called from any thread at any time, except moving and destroying,
/// which no hook may do either, to any cache but one that it has made itself. Each key is
/// linearizable by itself; batches are not atomic against each other. A cache that was moved from
/// can only be assigned to or destroyed.
class Cache {
 public:
  /// Opens or creates the cache file. Cost: flat in the number of entries. A relative path means
  /// the file below the folder that the process is in now, also when it goes to another one later.
  /// Errors: invalid_options; file_in_use; not_a_cache (nothing is touched); unavailable, and
  /// damaged for a file that is only read, if `when_unavailable` says so.
  explicit Cache(std::string path, Options options = {});
  /// As close().
  ~Cache();
  Cache(Cache&&) noexcept;
  Cache& operator=(Cache&&) noexcept;

  // ----------------------------------------------------------------------------------------
  // reading

  /// The value of `key`; nullopt where there is no live one. Counts one hit or miss, marks one
  /// touch.
  template <class T>
  [[nodiscard]] std::optional<T> get(std::string_view key) const {
    detail::require_storable<T>();
    detail::DecodingOne<T> sink;
    detail::get_many(*core_, std::span(&key, 1), sink);
    return sink.take_result();
  }

  /// The values of `keys`, in the order asked; nullopt where there is no live one. One lookup for
  /// the whole batch (one state of the file each 10,000 keys), duplicates are read once. Counts and
  /// marks each key.
  template <class T>
  [[nodiscard]] std::vector<std::optional<T>> get_many(
      std::span<const std::string_view> keys) const {
    detail::require_storable<T>();
    detail::DecodingSink<T> sink(keys.size());
    detail::get_many(*core_, keys, sink);
    return sink.take_results();
  }
  template <class T>
  [[nodiscard]] std::vector<std::optional<T>> get_many(
      std::initializer_list<std::string_view> keys) const {
    return get_many<T>(std::span(keys.begin(), keys.size()));
  }
  template <class T, KeyRange K>
  [[nodiscard]] std::vector<std::optional<T>> get_many(const K& keys) const {
    const std::vector<std::string_view> views(std::begin(keys), std::end(keys));
    return get_many<T>(std::span(views));
  }

  /// Whether there is a live entry. Counts nothing, touches nothing.
  [[nodiscard]] bool contains(std::string_view key) const;

  /// What is known about the entry; nullopt where none is kept (one that is stale or kept for
  /// errors is still told). Counts nothing, touches nothing.
  [[nodiscard]] std::optional<EntryInfo> entry(std::string_view key) const;

  /// Calls `visit` for each entry that is not gone and whose key begins with `prefix`, in the order
  /// of the keys: with its EntryInfo, or with that and its value as it is in the file (a ValueView,
  /// good for the call). Reads pages of entries: `visit` runs between them and may call the cache;
  /// what changes meanwhile may or may not be seen. Counts nothing. `visit` returns nothing, or
  /// false to stop.
  template <class F>
  void for_each(std::string_view prefix, F&& visit) const {
    visit_pages(prefix, detail::entry_visitor(visit));
  }

  /// The calculations whose results are kept in this file, whichever program has declared them, in
  /// the order of their ids; with their counters as they were last written to it, which is what
  /// `cache_by_calculation` shows. Empty where the file cannot be read. Costs a query over a row
  /// for each calculation: for tools, not for each request. Counts nothing.
  [[nodiscard]] std::vector<StoredCalculation> calculations() const;

  // ----------------------------------------------------------------------------------------
  // writing

  /// Keeps `value` under `key`, in the place of whatever was there. True: it was taken (`relaxed`)
  /// or is in the file (`commit`, `power`). False: it is not kept, and counted: refused (too large,
  /// or the limit under Eviction::none), dropped (no room in the queue, no file) or unencodable
  /// (its codec threw). What is refused or unencodable ends the older value of the key all the
  /// same; what is dropped may leave it. Errors: invalid_key; misuse for a ttl that is not
  /// positive.
  template <class T>
  bool put(std::string_view key, const T& value, PutOptions options = {}) {
    detail::EncodedPut one{key, detail::try_encode(value)};
    return detail::put_many(*core_, std::span(&one, 1), options) == 1;
  }

  /// Keeps all these values: pairs of a key and a value, in order (of two with the same key the
  /// later stays). Keys that are strings must outlast the look at their pair, as in a KeyRange.
  /// Written in transactions of at most 1,000 rows or 4 MiB. Returns how many were taken.
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

  // ------------------------------------------------------------------------------------- memoizing

  /// The value of `key`; where there is none, what `compute()` returns, which is then kept.
  /// Whatever `compute` throws reaches the caller, and nothing is kept. A `compute` that asks for
  /// the key it is computing, by itself or through others, is an Error (cycle).
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

  /// The values of `keys`, in the order asked. `compute` is called once, with those that missed
  /// (each once, as a span of string_view), and returns a vector of their values in that order:
  /// another number of them is an Error (wrong_number_of_results). They are kept in one bulk write.
  template <class T, class F>
  std::vector<T> get_or_compute_many(std::span<const std::string_view> keys, F&& compute,
                                     PutOptions options = {}) {
    detail::require_storable<T>();
    detail::LoaderRun<T, std::remove_reference_t<F>> run(keys, compute);
    detail::get_or_compute(*core_, keys, run, options);
    return run.take_results();
  }
  template <class T, class F>
  std::vector<T> get_or_compute_many(std::initializer_list<std::string_view> keys, F&& compute,
                                     PutOptions options = {}) {
    return get_or_compute_many<T>(std::span(keys.begin(), keys.size()), compute, options);
  }
  template <class T, KeyRange K, class F>
  std::vector<T> get_or_compute_many(const K& keys, F&& compute, PutOptions options = {}) {
    const std::vector<std::string_view> views(std::begin(keys), std::end(keys));
    return get_or_compute_many<T>(std::span(views), compute, options);
  }

  // ---------------------------------------------------------------------------------------
  // touching

  /// Marks the entry as read now, without reading its value. False: there is no live one.
  bool touch(std::string_view key);
  /// As touch, in one lookup; returns how many there were.
  std::size_t touch_many(std::span<const std::string_view> keys);
  std::size_t touch_many(std::initializer_list<std::string_view> keys) {
    return touch_many(std::span(keys.begin(), keys.size()));
  }
  template <KeyRange K>
  std::size_t touch_many(const K& keys) {
    const std::vector<std::string_view> views(std::begin(keys), std::end(keys));
    return touch_many(std::span(views));
  }

  // ---------------------------------------------------------------------------------------
  // removing. Errors: invalid_key; misuse if the cache was opened read-only.

  /// Removes the entry; true if a live one was there. Returns when it is committed (see above).
  bool erase(std::string_view key);
  /// As erase; how many live ones were there. Duplicates and unknown keys are no error.
  std::size_t erase_many(std::span<const std::string_view> keys);
  std::size_t erase_many(std::initializer_list<std::string_view> keys) {
    return erase_many(std::span(keys.begin(), keys.size()));
  }
  template <KeyRange K>
  std::size_t erase_many(const K& keys) {
    const std::vector<std::string_view> views(std::begin(keys), std::end(keys));
    return erase_many(std::span(views));
  }
  /// Removes every entry whose key begins with `prefix`, which must not be empty. In bounded
  /// transactions; in force for this process from the start. Returns how many rows were removed.
  std::size_t erase_prefix(std::string_view prefix);
  /// Removes everything; returns how many rows there were. Fast where nobody listens to removals.
  std::size_t clear();

  // ----------------------------------------------------------------------------------
  // administration. Errors of all that work on the file: closed; misuse inside a hook. In a cache
  // opened read-only `flush` and `compact` do nothing but call Hooks::on_error, for which these,
  // `run_maintenance` (which looks at the file at once), `check`, `backup` and `close` are the
  // occasions there.

  [[nodiscard]] Stats stats() const;
  [[nodiscard]] Health health() const;
  /// As they were given: what was not set stays not set.
  [[nodiscard]] Limits limits() const;
  /// New limits, defaults resolved as at opening. Enforced by the worker right away. Errors:
  /// invalid_options; then nothing has changed.
  void set_limits(Limits limits);

  /// Returns when all work accepted so far is in the file, touches included, and the limits hold.
  /// Errors: store_failed if the file cannot be written.
  void flush();
  /// Does a bounded step of the worker's work: at most about `budget`. True: there is more to do.
  /// In manual mode this and flush are the worker.
  bool run_maintenance(Duration budget = std::chrono::milliseconds(10));
  /// Finishes what the worker does in slices: removes what is due, gives all free pages back to the
  /// system and shortens the write-ahead log. Errors: store_failed.
  void compact();
  /// Looks through the whole file for damage and recounts the totals, correcting them. Slow.
  /// Errors: store_failed if the file cannot be read, or what was accepted not be written first.
  CheckReport check();
  /// Copies the cache as it is now to a new file with mode 0600. Errors: store_failed if what was
  /// accepted cannot be written first, if `target` exists, if there is not room enough for it (says
  /// what is needed), or if copying fails.
  void backup(const std::string& target);
  /// Writes what was accepted, ends the worker and releases the file. Waits for the refresh that
  /// runs on the cache's own background thread, if one does; drops those that have not begun.
  /// Calculations that run go on and return their values. Afterwards reads miss and writes are
  /// false, calculations compute. Closing twice is no error. In a hook of any cache it is misuse.
  void close();

 private:
  friend class Registry;
  void visit_pages(std::string_view prefix, const detail::EntryVisitor& visit) const;

  std::shared_ptr<detail::Core> core_;
};

}  // namespace ashmemo
