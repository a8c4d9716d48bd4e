#pragma once

#include <cstddef>
#include <string>

namespace monitoring {

/// What the terminal shows of the output.
struct Window {
  std::size_t columns = 0;
  std::size_t rows = 0;

  friend bool operator==(const Window&, const Window&) = default;
};

/// As it is now. Where the terminal does not know, $COLUMNS and $LINES say it, else it is 80 x 24.
[[nodiscard]] Window window();

/// Of a text the lines that there is room for, each cut off where it would go on in a second row.
[[nodiscard]] std::string fitted(const std::string& text, const Window& window);

}  // namespace monitoring
