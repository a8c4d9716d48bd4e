#pragma once

#include <bit>
#include <chrono>
#include <compare>
#include <concepts>
#include <cstdint>
#include <limits>
#include <ratio>
#include <string>

namespace ashmemo {

namespace detail {

/// `a + b`; a sum out of range becomes the nearest end of the range. Moments on disk are
/// microseconds since 1970 UTC. So `add_saturated(now, Duration::max().count())` is the last
/// possible moment.
[[nodiscard]] constexpr std::int64_t add_saturated(std::int64_t a, std::int64_t b) noexcept {
  using Limits = std::numeric_limits<std::int64_t>;
  if (b > 0 && a > Limits::max() - b) return Limits::max();
  if (b < 0 && a < Limits::min() - b) return Limits::min();
  return a + b;
}

/// `a - b`, saturated in the same way, because a file may contain any number.
[[nodiscard]] constexpr std::int64_t subtract_saturated(std::int64_t a, std::int64_t b) noexcept {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  return b == least ? add_saturated(add_saturated(a, -(b + 1)), 1) : add_saturated(a, -b);
}

/// Whether a count of this duration can be scaled to microseconds in 64-bit integers, step by step,
/// without an intermediate overflow. True for every duration that <chrono> itself names.
template <class Rep, class Period>
[[nodiscard]] consteval bool scales_exactly() {
  constexpr std::intmax_t kLargest = std::numeric_limits<std::int64_t>::max();
  if constexpr (!std::integral<Rep> || sizeof(Rep) > sizeof(std::int64_t)) {
    return false;
  } else if constexpr (Period::num > kLargest / std::micro::den) {
    return false;
  } else {
    using Scale = std::ratio_divide<Period, std::micro>;
    return Scale::num <= kLargest / Scale::den;
  }
}

/// `magnitude` microseconds with a sign, clamped to the range.
[[nodiscard]] constexpr std::int64_t signed_saturated(std::uint64_t magnitude,
                                                      bool negative) noexcept {
  using Limits = std::numeric_limits<std::int64_t>;
  if (magnitude > static_cast<std::uint64_t>(Limits::max())) {
    return negative ? Limits::min() : Limits::max();
  }
  const auto value = static_cast<std::int64_t>(magnitude);
  return negative ? -value : value;
}

template <class Scale, std::integral Rep>
[[nodiscard]] constexpr std::int64_t scale_integer(Rep count) noexcept {
  constexpr auto kNum = static_cast<std::uint64_t>(Scale::num);
  constexpr auto kDen = static_cast<std::uint64_t>(Scale::den);
  bool negative = false;
  if constexpr (std::signed_integral<Rep>) negative = count < 0;
  const auto bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(count));
  const std::uint64_t magnitude = negative ? 0 - bits : bits;
  const std::uint64_t whole = magnitude / kDen;
  const std::uint64_t part = magnitude % kDen * kNum / kDen;
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  if (whole > (kMax - part) / kNum) return signed_saturated(kMax, negative);
  return signed_saturated(whole * kNum + part, negative);
}

/// Reads the bits of the number, because a compiler with -ffast-math assumes that each number is
/// finite.
[[nodiscard]] constexpr bool is_finite(double number) noexcept {
  constexpr std::uint64_t kExponent = 0x7ff0'0000'0000'0000;
  return (std::bit_cast<std::uint64_t>(number) & kExponent) != kExponent;
}

/// 0 for NaN. For an infinity the end of the range that has its sign.
[[nodiscard]] constexpr std::int64_t of_not_finite(double number) noexcept {
  constexpr std::uint64_t kMantissa = 0x000f'ffff'ffff'ffff;
  const auto bits = std::bit_cast<std::uint64_t>(number);
  if ((bits & kMantissa) != 0) return 0;  // not a number
  return signed_saturated(std::numeric_limits<std::uint64_t>::max(), bits >> 63 != 0);
}

[[nodiscard]] constexpr std::int64_t scale_floating(long double microseconds) noexcept {
  using Limits = std::numeric_limits<std::int64_t>;
  if (microseconds >= static_cast<long double>(Limits::max())) return Limits::max();
  if (microseconds <= static_cast<long double>(Limits::min())) return Limits::min();
  return static_cast<std::int64_t>(microseconds);
}

template <class Rep, class Period>
[[nodiscard]] constexpr std::int64_t to_microseconds(Rep count) noexcept {
  if constexpr (scales_exactly<Rep, Period>()) {
    return scale_integer<std::ratio_divide<Period, std::micro>>(count);
  } else {
    const auto periods = static_cast<long double>(count);
    const auto rounded = static_cast<double>(periods);
    if (!is_finite(rounded)) return of_not_finite(rounded);
    return scale_floating(periods * Period::num / Period::den * std::micro::den);
  }
}

}  // namespace detail

/// A length of time, for all options of ashmemo.
///
/// Any std::chrono duration converts to it, without a cast: `30min`, `24h`, `std::chrono::days(7)`,
/// `std::chrono::duration<double>(0.5)`.
///
/// Units:   microseconds, as a signed 64-bit number: about 292,000 years either way.
/// Errors:  none. A length out of range becomes the nearest end of the range. So
///          `std::chrono::hours::max()` is `Duration::max()`, which means forever. Fractions of a
///          microsecond are cut off, towards zero. NaN becomes zero, which options that need a
///          length of time refuse.
/// Threads: a plain value.
class Duration {
 public:
  /// Zero.
  constexpr Duration() = default;

  /// Implicit on purpose: options read `{.ttl = 30min}`.
  template <class Rep, class Period>
  constexpr Duration(std::chrono::duration<Rep, Period> length) noexcept
      : microseconds_(detail::to_microseconds<Rep, Period>(length.count())) {}

  [[nodiscard]] static constexpr Duration microseconds(std::int64_t count) noexcept {
    Duration length;
    length.microseconds_ = count;
    return length;
  }

  /// Forever. Adding it to any moment gives the last possible moment.
  [[nodiscard]] static constexpr Duration max() noexcept {
    return microseconds(std::numeric_limits<std::int64_t>::max());
  }

  /// In microseconds.
  [[nodiscard]] constexpr std::int64_t count() const noexcept { return microseconds_; }

  [[nodiscard]] constexpr bool is_forever() const noexcept { return *this == max(); }

  constexpr auto operator<=>(const Duration&) const noexcept = default;

 private:
  std::int64_t microseconds_ = 0;
};

/// For people: "1h 30m", "250ms", "7d", "-2s", "0s", "forever". Nothing is rounded: every unit from
/// days to microseconds ("us") that is not zero is named.
[[nodiscard]] std::string to_string(Duration length);

}  // namespace ashmemo
