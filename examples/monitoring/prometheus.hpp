#pragma once

#include <ashmemo/ashmemo.hpp>

#include <map>
#include <string>
#include <vector>

namespace monitoring {

/// The state of one cache at one moment.
struct Snapshot {
  struct Calculation {
    std::string resource;
    std::string name;
    ashmemo::CalculationStats stats;
  };
  std::string file;
  ashmemo::Stats stats;
  ashmemo::Health health;
  std::vector<Calculation> calculations;
  std::map<std::string, int> notices;  ///< number of notices so far, by kind
};

/// The snapshot in the text format of Prometheus. Each sample has the cache file as a label, to
/// distinguish several programs on one machine.
[[nodiscard]] std::string to_prometheus(const Snapshot& snapshot);

/// Replaces the file in one step, so that a reader gets either the old text or the new text. Throws
/// std::runtime_error with the name of the file.
void write_atomically(const std::string& file, const std::string& text);

}  // namespace monitoring
