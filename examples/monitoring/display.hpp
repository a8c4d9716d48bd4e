#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "prometheus.hpp"
#include "window.hpp"

namespace monitoring {

/// Shows snapshots in the terminal, each in the place of the one before, as much as there is room
/// for. Where the output is no terminal: a line for each.
class Display {
 public:
  Display();
  void show(const Snapshot& snapshot, const std::deque<std::string>& events);

 private:
  void show_in_place(const std::string& text, const Window& window);

  bool in_place_;
  std::size_t shown_lines_ = 0;
  Window window_;  ///< in which they were shown
  ashmemo::Stats before_;
};

}  // namespace monitoring
