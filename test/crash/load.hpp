#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <string>

#include "crash/journal.hpp"
#include "crash/posts.hpp"
#include "support/versioned_text.hpp"

namespace ashmemo::test {

inline constexpr std::uint32_t kGroups = 2;  // of keys, each with one writing thread
inline constexpr std::uint32_t kKeysOfGroup = 40;
inline constexpr std::uint32_t kKeys = kGroups * kKeysOfGroup;

[[nodiscard]] std::string group_prefix(std::uint32_t group);
[[nodiscard]] std::string key_name(std::uint32_t key);
/// Where the thread of a group backs the cache up to.
[[nodiscard]] std::string copy_path(const std::string& path, std::uint32_t group);

/// Such a version is put with a ttl of some milliseconds.
[[nodiscard]] bool expires(std::uint64_t version);

struct Load {
  std::string path;
  Options options;
  bool limits_change = false;  // now and then the cache gets other limits
  std::uint64_t seed = 0;
  std::uint64_t first_version = 0;  // of puts, and edition of results; larger than any before
  std::uint32_t code_version = 1;   // of the calculation on posts
  OldestEditions oldest{};          // of the results in the file
  int steps = 0;                    // of each thread
};

/// Opens the cache and does random things with it until all steps are done. The cache stays open:
/// it is given to whoever is to be killed.
[[nodiscard]] Cache run_load(Load load, Journal& journal);

}  // namespace ashmemo::test
