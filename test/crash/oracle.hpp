#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crash/journal.hpp"
#include "crash/load.hpp"

namespace ashmemo::test {

/// What must still be there after a crash of a process with this durability.
enum class Promise : std::uint8_t {
  nothing,  // anything of what was ever begun may be there: a power cut without Durability::power
  flushed,  // removals that returned, and puts before a flush that returned
  put,      // removals and puts that returned
};

/// For each key and each post, what a file may hold after a crash.
class Oracle {
 public:
  /// may_leave: entries may be evicted at any time.
  explicit Oracle(bool may_leave) : may_leave_(may_leave), keys_(kKeys) { forget(); }

  /// The next process raises the version of its calculation: of older editions nothing answers.
  void raise_version(std::uint64_t first_edition) { oldest_.fill(first_edition); }
  [[nodiscard]] const OldestEditions& oldest() const noexcept { return oldest_; }

  void replay(const std::vector<Record>& records, Promise promise);
  /// What was found after the crash; what is wrong with it, or nothing. From now on this is what
  /// the key has.
  [[nodiscard]] std::string judge(std::uint32_t key, const std::optional<std::string>& found);
  /// The same of a result.
  [[nodiscard]] std::string judge_result(std::uint32_t post, std::int64_t found) const;

 private:
  struct State {
    std::optional<std::uint64_t> version;  // nullopt: no entry
    std::optional<std::size_t> returned;   // when the call did
  };
  using States = std::vector<State>;  // the oldest is the one that cannot be lost any more

  void forget();
  void apply(const Record& record, std::size_t at);
  void begin(std::uint32_t key, std::optional<std::uint64_t> version);
  void end(std::uint32_t key, std::size_t at, bool is_kept);
  void begin_removals(std::uint32_t first, std::uint32_t count);
  void end_removals(std::uint32_t first, std::uint32_t count, std::size_t at);
  void flush(std::size_t begun);
  [[nodiscard]] bool keeps_removals() const noexcept;
  void end_invalidation(std::uint32_t first, std::uint32_t count, std::uint64_t edition);

  const bool may_leave_;
  std::vector<States> keys_;
  OldestEditions oldest_{};
  Promise promise_ = Promise::nothing;
  bool removals_hold_ = true;  // no removal was announced as not committed
  std::vector<std::size_t> flushes_;
};

}  // namespace ashmemo::test
