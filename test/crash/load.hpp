#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <string>

#include "crash/journal.hpp"
#include "crash/posts.hpp"
#include "support/versioned_text.hpp"

namespace ashmemo::test {

inline constexpr std::uint32_t kGroups = 2;  // groups of keys, each with one writing thread
inline constexpr std::uint32_t kKeysOfGroup = 40;
inline constexpr std::uint32_t kKeys = kGroups * kKeysOfGroup;

[[nodiscard]] std::string group_prefix(std::uint32_t group);
[[nodiscard]] std::string key_name(std::uint32_t key);
/// The backup path of a group's thread.
[[nodiscard]] std::string copy_path(const std::string& path, std::uint32_t group);

/// Whether values of this version are put with a ttl of some milliseconds.
[[nodiscard]] bool expires(std::uint64_t version);

/// The work of one process on one cache.
struct Load {
  std::string path;
  Options options;
  bool limits_change = false;  // threads call set_limits now and then
  std::uint64_t seed = 0;
  std::uint64_t first_version = 0;  // for puts, and first edition; larger than all before
  std::uint32_t code_version = 1;   // version of the calculation on posts
  OldestEditions oldest{};          // oldest allowed results in the file
  int steps = 0;                    // for each thread
};

/// Opens the cache and makes random calls until all steps are done. Returns the open cache, so that
/// it is open when the process is killed.
[[nodiscard]] Cache run_load(Load load, Journal& journal);

}  // namespace ashmemo::test
