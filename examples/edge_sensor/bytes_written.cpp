#include "bytes_written.hpp"

#include <fstream>
#include <string>

namespace edge_sensor {

std::optional<std::int64_t> bytes_written() {
  std::ifstream counts("/proc/self/io");  // Linux
  std::int64_t number = 0;
  for (std::string name; counts >> name >> number;) {
    if (name == "wchar:") return number;
  }
  return std::nullopt;
}

}  // namespace edge_sensor
