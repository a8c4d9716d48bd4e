#include "bench/suite/files.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "bench/program.hpp"
#include "bench/suite/keys.hpp"

namespace ashmemo::bench {

void warm(const ScratchDirectory& directory) {
  std::vector<char> part(1 << 20);
  for (const auto& each : std::filesystem::directory_iterator(directory.path())) {
    std::ifstream file(each.path(), std::ios::binary);
    while (file.read(part.data(), static_cast<std::streamsize>(part.size()))) {
    }
  }
}

const ScratchDirectory& Files::filled(const SystemType& type, std::size_t entries) {
  const auto [at, is_new] = filled_.try_emplace({type.name, entries});
  if (!is_new) return at->second;
  notify_(fmt::format("filling {}: {} entries", type.name,
                      grouped(static_cast<std::int64_t>(entries))));
  const Setup setup{.entries = entries, .value_bytes = value_bytes_, .tier_bytes = 0};
  const auto system = type.open(at->second.path(), setup);
  PairBlock pairs(shuffled(entries, kFillSeed), kBatch, value_bytes_);
  for (std::size_t done = 0; done < entries; done += kBatch) {
    system->put_many(pairs.next().first(std::min(kBatch, entries - done)));
  }
  system->flush();
  return at->second;
}

std::unique_ptr<ScratchDirectory> Files::copy(const SystemType& type, std::size_t entries) {
  auto made = std::make_unique<ScratchDirectory>();
  std::filesystem::copy(filled(type, entries).path(), made->path(),
                        std::filesystem::copy_options::recursive);
  ::sync();  // otherwise the measurement includes writing the copy to the disk
  return made;
}

Contestant Files::open_filled(const SystemType& type, const Setup& setup) {
  return {type, copy(type, setup.entries), setup};
}

Contestant Files::open_empty(const SystemType& type, const Setup& setup) {
  return {type, std::make_unique<ScratchDirectory>(), setup};
}

}  // namespace ashmemo::bench
