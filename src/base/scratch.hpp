#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>

namespace ashmemo::base {

/// Memory for the work of one call, freed at its end. Small calls do not use the heap.
class Scratch {
 public:
  [[nodiscard]] std::pmr::memory_resource* memory() noexcept { return &memory_; }

 private:
  alignas(std::max_align_t) std::array<std::byte, 1024> here_;
  std::pmr::monotonic_buffer_resource memory_{here_.data(), here_.size()};
};

}  // namespace ashmemo::base
