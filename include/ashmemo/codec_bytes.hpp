#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <ashmemo/codec_traits.hpp>

namespace ashmemo {

namespace detail {

/// A type of element whose vector is stored as a blob.
template <class T>
concept BlobElement = std::same_as<T, std::byte> ||
                      (std::is_arithmetic_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
                       !std::same_as<T, bool> && !std::same_as<T, long double>);

/// Convert numbers of `width` bytes each from the machine's byte order to lowest byte first, and
/// back.
[[nodiscard]] std::string to_little_endian(const void* numbers, std::size_t count,
                                           std::size_t width);
void from_little_endian(std::string_view bytes, void* numbers, std::size_t width);

}  // namespace detail

/// Stored as a SQLite text of the same bytes, NUL bytes included. Nothing is converted or checked,
/// so it need not be UTF-8. (The sqlite3 program prints up to the first NUL.)
///
/// Decodes: a text.
template <>
struct Codec<std::string> : detail::BuiltInCodec<std::string> {
  [[nodiscard]] static Value encode(const std::string& value) { return Value::text(value); }

  [[nodiscard]] static std::optional<std::string> decode(ValueView stored) {
    if (stored.type() != ValueType::text) return std::nullopt;
    return std::string(stored.bytes());
  }
};

/// Bytes (std::byte, unsigned char) and vectors of numbers, such as embeddings, are stored as one
/// blob: the numbers one after the other, each with its lowest byte first. An empty vector is an
/// empty blob, which is not NULL. Floating-point numbers keep their bits, NaN too.
///
/// Decodes: a blob whose size is a multiple of the size of one number.
template <detail::BlobElement T>
struct Codec<std::vector<T>> : detail::BuiltInCodec<std::vector<T>> {
  [[nodiscard]] static Value encode(const std::vector<T>& value) {
    return Value::blob(detail::to_little_endian(value.data(), value.size(), sizeof(T)));
  }

  [[nodiscard]] static std::optional<std::vector<T>> decode(ValueView stored) {
    const std::string_view bytes = stored.bytes();
    if (stored.type() != ValueType::blob || bytes.size() % sizeof(T) != 0) return std::nullopt;
    std::vector<T> numbers(bytes.size() / sizeof(T));
    detail::from_little_endian(bytes, numbers.data(), sizeof(T));
    return numbers;
  }
};

/// Stored as a blob with one byte, 0 or 1, for each element.
///
/// Decodes: a blob of these bytes only.
template <>
struct Codec<std::vector<bool>> : detail::BuiltInCodec<std::vector<bool>> {
  [[nodiscard]] static Value encode(const std::vector<bool>& value) {
    std::string bytes;
    bytes.reserve(value.size());
    for (const bool element : value) bytes += element ? '\1' : '\0';
    return Value::blob(std::move(bytes));
  }

  [[nodiscard]] static std::optional<std::vector<bool>> decode(ValueView stored) {
    if (stored.type() != ValueType::blob) return std::nullopt;
    std::vector<bool> elements;
    elements.reserve(stored.bytes().size());
    for (const char byte : stored.bytes()) {
      if (byte != '\0' && byte != '\1') return std::nullopt;
      elements.push_back(byte == '\1');
    }
    return elements;
  }
};

}  // namespace ashmemo
