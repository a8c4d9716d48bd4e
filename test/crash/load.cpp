#include "crash/load.hpp"

#include <fmt/format.h>

#include <thread>
#include <vector>

#include "crash/caller.hpp"

namespace ashmemo::test {

std::string group_prefix(std::uint32_t group) { return fmt::format("group{}:", group); }

std::string key_name(std::uint32_t key) {
  return fmt::format("{}{}", group_prefix(key / kKeysOfGroup), key % kKeysOfGroup);
}

std::string copy_path(const std::string& path, std::uint32_t group) {
  return fmt::format("{}.copy{}", path, group);
}

bool expires(std::uint64_t version) { return version % 16 == 0; }

Cache run_load(Load load, Journal& journal) {
  load.options.hooks.on_error = [&journal](const Notice& notice) {
    if (notice.kind == NoticeKind::removal_uncommitted) journal.add(Step::uncommitted);
  };
  Cache cache(load.path, load.options);
  Editions editions(load.first_version, load.oldest);
  Posts posts(cache, load.code_version, [&editions] { return editions.newest(); });
  Shared shared{cache, journal, load, posts, editions};
  std::vector<std::thread> threads;
  for (std::uint32_t group = 0; group < kGroups; ++group) {
    threads.emplace_back([&shared, group] { Caller(shared, group).run(); });
  }
  for (std::thread& thread : threads) thread.join();
  return cache;
}

}  // namespace ashmemo::test
