#pragma once

#include <chrono>
#include <optional>
#include <type_traits>

#include <ashmemo/codec_number.hpp>

namespace ashmemo {

namespace detail {

template <class T>
concept StoredNumber = std::is_arithmetic_v<T> && Storable<T>;

}  // namespace detail

/// A duration is stored as its count in its own unit: an integer, or a real if it counts in
/// floating point. The unit is a part of the type of a calculation's results: results in seconds
/// are misses for a program that now counts in milliseconds. For values that are put directly the
/// unit is not stored: see Cache.
///
/// Decodes: the values that the counting type decodes.
template <detail::StoredNumber Rep, class Period>
struct Codec<std::chrono::duration<Rep, Period>>
    : detail::BuiltInCodec<std::chrono::duration<Rep, Period>> {
  using Length = std::chrono::duration<Rep, Period>;

  [[nodiscard]] static Value encode(const Length& value) {
    return Codec<Rep>::encode(value.count());
  }

  [[nodiscard]] static std::optional<Length> decode(ValueView stored) noexcept {
    const std::optional<Rep> count = Codec<Rep>::decode(stored);
    if (!count) return std::nullopt;
    return Length(*count);
  }
};

/// A time point is stored as the duration since the epoch of its clock. A time point of
/// std::chrono::steady_clock has no meaning after a restart of the machine.
template <class Clock, Storable Length>
struct Codec<std::chrono::time_point<Clock, Length>>
    : detail::BuiltInCodec<std::chrono::time_point<Clock, Length>> {
  using TimePoint = std::chrono::time_point<Clock, Length>;

  [[nodiscard]] static Value encode(const TimePoint& value) {
    return Codec<Length>::encode(value.time_since_epoch());
  }

  [[nodiscard]] static std::optional<TimePoint> decode(ValueView stored) {
    const std::optional<Length> since_epoch = Codec<Length>::decode(stored);
    if (!since_epoch) return std::nullopt;
    return TimePoint(*since_epoch);
  }
};

}  // namespace ashmemo
