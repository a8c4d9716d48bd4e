#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include "prometheus.hpp"

namespace monitoring {

/// Shows snapshots in the terminal. Each snapshot replaces the one before and is cut to the size of
/// the window. If the output is not a terminal, each snapshot is one line.
class Display {
 public:
  Display();
  void show(const Snapshot& snapshot, const std::deque<std::string>& events);

 private:
  struct Window {
    std::size_t columns = 80;
    std::size_t rows = 24;
    friend bool operator==(const Window&, const Window&) = default;
  };
  static Window window();
  void replace(const std::string& page);

  bool is_terminal_;
  Window window_{};  ///< when the latest snapshot was shown
  std::size_t lines_ = 0;
  ashmemo::Stats before_{};
};

}  // namespace monitoring
