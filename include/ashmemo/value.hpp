#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace ashmemo {

/// The five kinds of value that a SQLite column holds, under the names SQLite gives them.
enum class ValueType : std::uint8_t { null = 0, integer = 1, real = 2, text = 3, blob = 4 };

/// A view of one SQLite value. `Codec<T>::decode` reads a `T` from it.
///
/// It refers to the bytes of a text or blob and does not copy them. It is valid as long as these
/// bytes exist and do not move. A view that a codec gets is valid during that call only.
///
/// Units:   integers are 64-bit and signed, reals are doubles, sizes are in bytes. A text may
///          contain NUL bytes and need not be UTF-8; no function looks for an end mark.
/// Errors:  none. A getter of another type returns zero or no bytes, so check `type()` first.
/// Threads: a plain value.
/// Cost:    four words; pass it by value.
class ValueView {
 public:
  /// NULL.
  constexpr ValueView() = default;

  [[nodiscard]] static constexpr ValueView null() noexcept { return {}; }

  [[nodiscard]] static constexpr ValueView integer(std::int64_t value) noexcept {
    return {ValueType::integer, value, kNoBytes};
  }

  /// SQLite turns a real that is not a number into NULL, so `Codec<double>` never returns one.
  [[nodiscard]] static constexpr ValueView real(double value) noexcept {
    return {ValueType::real, std::bit_cast<std::int64_t>(value), kNoBytes};
  }

  [[nodiscard]] static constexpr ValueView text(std::string_view bytes) noexcept {
    return {ValueType::text, 0, bytes};
  }

  [[nodiscard]] static constexpr ValueView blob(std::string_view bytes) noexcept {
    return {ValueType::blob, 0, bytes};
  }

  [[nodiscard]] constexpr ValueType type() const noexcept { return type_; }

  /// The number, or 0 if this is not an integer.
  [[nodiscard]] constexpr std::int64_t as_integer() const noexcept {
    return type_ == ValueType::integer ? number_ : 0;
  }

  /// The number, or 0 if this is not a real.
  [[nodiscard]] constexpr double as_real() const noexcept {
    return type_ == ValueType::real ? std::bit_cast<double>(number_) : 0.0;
  }

  /// The bytes of a text or blob; empty for anything else. `data()` is never a null pointer, not
  /// even of an empty text: SQLite would take that for NULL.
  [[nodiscard]] constexpr std::string_view bytes() const noexcept { return bytes_; }

  /// The size of the content: its bytes, 8 for a number, 0 for NULL.
  [[nodiscard]] constexpr std::size_t size_bytes() const noexcept {
    const bool number = type_ == ValueType::integer || type_ == ValueType::real;
    return number ? sizeof(number_) : bytes_.size();
  }

  /// Same type and same content. Reals are compared by their bits: -0 differs from 0, and a real
  /// that is not a number equals itself. The integer 1 and the real 1 differ.
  friend constexpr bool operator==(const ValueView&, const ValueView&) noexcept = default;

 private:
  friend class Value;

  static constexpr std::string_view kNoBytes{""};

  constexpr ValueView(ValueType type, std::int64_t number, std::string_view bytes) noexcept
      : type_(type), number_(number), bytes_(bytes.data() == nullptr ? kNoBytes : bytes) {}

  ValueType type_ = ValueType::null;
  std::int64_t number_ = 0;  // an integer, or the bits of a real
  std::string_view bytes_ = kNoBytes;
};

/// One SQLite value that owns its bytes. `Codec<T>::encode` returns it.
///
/// Units, errors and threads are as for ValueView. A value that was moved from can only be assigned
/// to or destroyed.
/// Cost:    a text or blob is one std::string, moved in and never copied by the factories.
class Value {
 public:
  /// NULL.
  Value() = default;

  /// Copies the bytes.
  explicit Value(ValueView view) : type_(view.type_), number_(view.number_), bytes_(view.bytes_) {}

  [[nodiscard]] static Value null() noexcept { return {}; }

  [[nodiscard]] static Value integer(std::int64_t value) noexcept {
    return Value(ValueView::integer(value));
  }

  [[nodiscard]] static Value real(double value) noexcept { return Value(ValueView::real(value)); }

  [[nodiscard]] static Value text(std::string bytes) noexcept {
    return {ValueType::text, std::move(bytes)};
  }

  [[nodiscard]] static Value blob(std::string bytes) noexcept {
    return {ValueType::blob, std::move(bytes)};
  }

  /// Valid until this value is changed, moved or destroyed.
  [[nodiscard]] ValueView view() const noexcept { return {type_, number_, bytes_}; }
  operator ValueView() const noexcept { return view(); }

  [[nodiscard]] ValueType type() const noexcept { return type_; }
  [[nodiscard]] std::int64_t as_integer() const noexcept { return view().as_integer(); }
  [[nodiscard]] double as_real() const noexcept { return view().as_real(); }
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size_bytes() const noexcept { return view().size_bytes(); }

  friend bool operator==(const Value&, const Value&) noexcept = default;

 private:
  Value(ValueType type, std::string bytes) noexcept : type_(type), bytes_(std::move(bytes)) {}

  ValueType type_ = ValueType::null;
  std::int64_t number_ = 0;
  std::string bytes_;
};

}  // namespace ashmemo
