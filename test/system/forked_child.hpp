#pragma once

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/child.hpp"

namespace ashmemo::test {

/// Calls most operations of the parent's cache in a forked child. Returns the results as one line.
inline std::string answers_of(Cache& cache) {
  std::string said;
  said += cache.get<int>("k") ? "hit " : "miss ";
  said += cache.put("k", 2) ? "put " : "not-put ";
  said += cache.contains("k") ? "there " : "not-there ";
  said += cache.entry("k") ? "entry " : "no-entry ";
  said += cache.touch("k") ? "touched " : "untouched ";
  said += cache.erase("k") ? "erased " : "not-erased ";
  said += std::to_string(cache.clear()) + ' ';
  said += std::to_string(cache.get_or_compute("k", [] { return 7; })) + ' ';
  said += code_thrown_by([&] { cache.flush(); }) + ' ';
  said += std::to_string(cache.put_many<int>({{"a", 1}, {"b", 2}})) + ' ';
  const auto computed = cache.get_or_compute_many<int>(
      {"k", "l"}, [](auto keys) { return std::vector<int>(keys.size(), 8); });
  said += std::to_string(computed.at(1)) + ' ';
  int shown = 0;
  cache.for_each("", [&](const EntryInfo&) { ++shown; });
  said += std::to_string(shown + static_cast<int>(cache.calculations().size())) + ' ';
  cache.set_limits({.max_entries = 1});
  said += std::to_string(cache.limits().max_entries.count() > 1) + ' ';
  said += std::string(to_string(cache.health().state)) + ' ';
  said += std::to_string(cache.stats().misses) + ' ' + std::to_string(cache.stats().unread);
  return said;
}

/// The beginning that the line must have. `flush` is the error code that `flush()` throws.
inline std::string misses_alone(const std::string& flush = "closed") {
  return "miss not-put not-there no-entry untouched not-erased 0 7 " + flush + " 0 8 0 1 closed ";
}

/// Forks and checks the answers that the child gets.
inline void check_child(Cache& cache, const std::string& flush = "closed") {
  const ChildEnd end = in_child([&] { return answers_of(cache); });
  CHECK(end.exit_code == 0);
  CHECK_MESSAGE(end.said.starts_with(misses_alone(flush)), end.said);
}

}  // namespace ashmemo::test
