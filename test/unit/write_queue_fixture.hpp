#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/write_queue.hpp"

namespace ashmemo::test {

/// Begins a sweep, if the last one has ended, and arranges it by key. Then takes a group.
inline engine::Group take_by_key(engine::WriteQueue& queue, std::size_t max_rows = 1'000,
                                 std::int64_t max_bytes = 4 * 1024 * 1024) {
  const std::vector<engine::WritePtr> writes = queue.begin_sweep();
  if (!writes.empty()) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < writes.size(); ++i) {
      if (writes[i]) order.push_back(i);
    }
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return writes[a]->key() < writes[b]->key();
    });
    queue.arrange(std::move(order));
  }
  engine::Group group = queue.take(max_rows, max_bytes);
  queue.drop_covered(group);
  return group;
}

inline std::vector<std::string> keys_of(const engine::Group& group) {
  std::vector<std::string> keys;
  for (const engine::Group::Item& item : group.items) keys.emplace_back(item.write->key());
  return keys;
}

}  // namespace ashmemo::test
