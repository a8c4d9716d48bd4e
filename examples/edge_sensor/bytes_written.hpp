#pragma once

#include <cstdint>
#include <optional>

namespace edge_sensor {

/// What this process has handed to the system's write calls so far; nullopt where the system does
/// not count it. How much of it reaches the device is up to the system, which may join writes.
[[nodiscard]] std::optional<std::int64_t> bytes_written();

}  // namespace edge_sensor
