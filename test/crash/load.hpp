#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <string>

#include "crash/journal.hpp"
#include "support/versioned_text.hpp"

namespace ashmemo::test {

inline constexpr std::uint32_t kGroups = 2;  // of keys, each with one writing thread
inline constexpr std::uint32_t kKeysOfGroup = 40;
inline constexpr std::uint32_t kKeys = kGroups * kKeysOfGroup;
inline constexpr std::uint32_t kPosts = 200;

[[nodiscard]] std::string group_prefix(std::uint32_t group);
[[nodiscard]] std::string key_name(std::uint32_t key);
[[nodiscard]] std::string post_key(std::uint32_t post);
/// What the calculation on a post returns.
[[nodiscard]] std::int64_t post_result(std::uint32_t post);

/// Such a version is put with a ttl of some milliseconds.
[[nodiscard]] bool expires(std::uint64_t version);

struct Load {
  std::string path;
  Options options;
  bool limits_change = false;  // now and then the cache gets other limits
  std::uint64_t seed = 0;
  std::uint64_t first_version = 0;  // larger than any before
  int steps = 0;                    // of each thread
};

/// Opens the cache and does random things with it until all steps are done. The cache stays open:
/// it is given to whoever is to be killed.
[[nodiscard]] Cache run_load(Load load, Journal& journal);

}  // namespace ashmemo::test
