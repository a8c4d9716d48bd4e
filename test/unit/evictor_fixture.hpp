#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "support/fake_engine.hpp"
#include "support/policies.hpp"

// Helpers for tests that evict on a fake engine.

namespace ashmemo::test {

using Keys = std::vector<std::string>;

inline Options limited(Eviction eviction, Limit entries, Limit bytes = unlimited) {
  Options options = FakeEngine::manual();
  options.eviction = eviction;
  options.limits.max_entries = entries;
  options.limits.max_bytes = bytes;
  options.limits.max_entry_bytes = 64 * MiB;
  return options;
}

inline void offer(FakeEngine& fake, std::string_view key, std::int64_t byte_size = 100) {
  store::EntryView entry;
  entry.value = ValueView::text("v");
  entry.deadlines.computed_at = fake.clock->wall_now();
  const auto write = engine::Write::put(key, entry, byte_size);
  REQUIRE(fake.engine.pending.offer(write, engine::Waited::no).accepted);
}

/// Puts and flushes each key alone, so that an eviction can run after each put.
inline void put_each(FakeEngine& fake, const Keys& keys) {
  for (const std::string& key : keys) {
    offer(fake, key);
    REQUIRE(fake.worker.flush().ok());
  }
}

inline void set_limits(FakeEngine& fake, Limit entries, Limit bytes = unlimited) {
  fake.engine.limits.set({entries, bytes, 64 * MiB});
}

}  // namespace ashmemo::test
