#include "duration_fast_math.hpp"

#include <bit>

#include <ashmemo/duration.hpp>

namespace ashmemo::test {
namespace {

template <class Number, class Period>
std::int64_t count_of(std::uint64_t bits) {
  const volatile std::uint64_t read = bits;  // the compiler does not know the number
  const auto number = static_cast<Number>(std::bit_cast<double>(std::uint64_t{read}));
  return Duration(std::chrono::duration<Number, Period>(number)).count();
}

}  // namespace

std::vector<std::int64_t> fast_math_counts_of(std::uint64_t bits) {
  return {count_of<double, std::ratio<1>>(bits), count_of<float, std::ratio<60>>(bits),
          count_of<long double, std::ratio<3600>>(bits), count_of<double, std::micro>(bits)};
}

}  // namespace ashmemo::test
