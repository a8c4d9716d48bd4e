#pragma once

#include <ashmemo/ashmemo.hpp>

#include <map>
#include <string>
#include <vector>

namespace monitoring {

/// What is known about one cache at one moment.
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
  std::map<std::string, int> notices;  ///< told so far, by kind
};

/// In the text format of Prometheus. Each sample is labelled with the cache's file, so that several
/// programs on a machine can be told apart.
[[nodiscard]] std::string to_prometheus(const Snapshot& snapshot);

/// Replaces the file at once: who reads it meanwhile gets the old text or the new one, never half.
/// Throws std::runtime_error that names the file.
void write_atomically(const std::string& file, const std::string& text);

}  // namespace monitoring
