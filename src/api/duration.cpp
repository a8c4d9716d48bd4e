#include <ashmemo/duration.hpp>

#include <array>
#include <string_view>

namespace ashmemo {
namespace {

struct Unit {
  std::uint64_t microseconds;
  std::string_view name;
};

constexpr std::array<Unit, 6> kUnits{{{86'400'000'000, "d"},
                                      {3'600'000'000, "h"},
                                      {60'000'000, "m"},
                                      {1'000'000, "s"},
                                      {1'000, "ms"},
                                      {1, "us"}}};

std::string in_units(std::uint64_t rest) {
  std::string out;
  for (const Unit& unit : kUnits) {
    const std::uint64_t count = rest / unit.microseconds;
    rest %= unit.microseconds;
    if (count == 0) continue;
    if (!out.empty()) out += ' ';
    out += std::to_string(count);
    out += unit.name;
  }
  return out;
}

}  // namespace

std::string to_string(Duration length) {
  if (length.is_forever()) return "forever";
  if (length.count() == 0) return "0s";
  const auto bits = static_cast<std::uint64_t>(length.count());
  if (length.count() > 0) return in_units(bits);
  return '-' + in_units(0 - bits);
}

}  // namespace ashmemo
