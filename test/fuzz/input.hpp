#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ashmemo::fuzz {

/// Reads the bytes of one input from the front. After its end it returns zeros.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept
      : rest_(reinterpret_cast<const char*>(data), size) {}

  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }

  [[nodiscard]] std::uint8_t byte() noexcept {
    if (rest_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }

  /// A big-endian number of this many bytes.
  [[nodiscard]] std::uint64_t number(int bytes) noexcept {
    std::uint64_t result = 0;
    for (int i = 0; i < bytes; ++i) result = result << 8 | byte();
    return result;
  }

  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace ashmemo::fuzz
