#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crash/journal.hpp"
#include "crash/load.hpp"

namespace ashmemo::test {

/// The writes that must survive a crash.
enum class Promise : std::uint8_t {
  nothing,  // none must survive: a power cut without Durability::power
  flushed,  // removals that returned, and puts before a flush that returned
  put,      // removals and puts that returned
};

/// Knows the allowed contents of a file after a crash, for each key and each post.
class Oracle {
 public:
  /// `may_evict`: the cache may evict entries at any time.
  explicit Oracle(bool may_evict) : may_evict_(may_evict), keys_(kKeys) { forget(); }

  /// The next process raises the version of its calculation. Results of older editions are not
  /// allowed any more.
  void raise_version(std::uint64_t first_edition) { oldest_.fill(first_edition); }
  [[nodiscard]] const OldestEditions& oldest() const noexcept { return oldest_; }

  void replay(const std::vector<Record>& records, Promise promise);
  /// Checks the value that was found after the crash. Returns what is wrong, or an empty string.
  /// From now on the found value is the only allowed one.
  [[nodiscard]] std::string check(std::uint32_t key, const std::optional<std::string>& found);
  /// Checks a result that was found after the crash.
  [[nodiscard]] std::string check_result(std::uint32_t post, std::int64_t found) const;

 private:
  struct State {
    std::optional<std::uint64_t> version;  // nullopt means no entry
    std::optional<std::size_t> returned;   // position of the call's end in the journal
  };
  using States = std::vector<State>;  // the first is the newest that must survive

  void forget();
  void apply(const Record& record, std::size_t at);
  void begin(std::uint32_t key, std::optional<std::uint64_t> version);
  void end(std::uint32_t key, std::size_t at, bool is_kept);
  void begin_removals(std::uint32_t first, std::uint32_t count);
  void end_removals(std::uint32_t first, std::uint32_t count, std::size_t at);
  void flush(std::size_t begun);
  [[nodiscard]] bool keeps_removals() const noexcept;
  void end_invalidation(std::uint32_t first, std::uint32_t count, std::uint64_t edition);

  const bool may_evict_;
  std::vector<States> keys_;
  OldestEditions oldest_{};
  Promise promise_ = Promise::nothing;
  bool removals_hold_ = true;  // no removal was reported as not committed
  std::vector<std::size_t> flushes_;
};

}  // namespace ashmemo::test
