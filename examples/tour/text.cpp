#include "text.hpp"

#include <algorithm>

namespace tour {
namespace {

constexpr unsigned kFirstBeyondAscii = 0x80;

unsigned byte_at(std::string_view bytes, std::size_t i) noexcept {
  return static_cast<unsigned char>(bytes[i]);
}

// Not std::isspace and its kin: they depend on the locale.
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }

bool is_in_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || is_upper(c) || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= kFirstBeyondAscii;
}

// How many bytes follow a first byte, and which second bytes are allowed: this shuts out forms that
// are longer than need be, halves of surrogate pairs, and numbers beyond the last character.
struct Sequence {
  std::size_t following = 0;
  unsigned least = 0x80;
  unsigned most = 0xBF;
};

// 0 bytes to follow a byte beyond ASCII: there is no such sequence.
Sequence sequence_of(unsigned first) noexcept {
  if (first >= 0xC2 && first <= 0xDF) return {.following = 1};
  if (first == 0xE0) return {.following = 2, .least = 0xA0};
  if (first == 0xED) return {.following = 2, .most = 0x9F};
  if (first >= 0xE1 && first <= 0xEF) return {.following = 2};
  if (first == 0xF0) return {.following = 3, .least = 0x90};
  if (first == 0xF4) return {.following = 3, .most = 0x8F};
  if (first >= 0xF1 && first <= 0xF3) return {.following = 3};
  return {};
}

// The length of the character beyond ASCII that begins at `i`; 0 if there is none.
std::size_t character_at(std::string_view bytes, std::size_t i) noexcept {
  const Sequence sequence = sequence_of(byte_at(bytes, i));
  if (sequence.following == 0 || bytes.size() - i <= sequence.following) return 0;
  const unsigned second = byte_at(bytes, i + 1);
  if (second < sequence.least || second > sequence.most) return 0;
  for (std::size_t k = 2; k <= sequence.following; ++k) {
    if ((byte_at(bytes, i + k) & 0xC0U) != 0x80U) return 0;
  }
  return sequence.following + 1;
}

}  // namespace

bool is_text(std::string_view bytes) noexcept {
  for (std::size_t i = 0; i < bytes.size();) {
    if (bytes[i] == '\0') return false;
    const std::size_t length = byte_at(bytes, i) < kFirstBeyondAscii ? 1 : character_at(bytes, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

std::size_t count_words(std::string_view text) noexcept {
  std::size_t count = 0;
  bool inside = false;
  for (const char c : text) {
    if (!inside && !is_space(c)) ++count;
    inside = !is_space(c);
  }
  return count;
}

std::string in_lower_case(std::string text) {
  for (char& c : text) {
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string with_single_spaces(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool after_space = true;
  for (const char c : text) {
    if (!is_space(c)) {
      if (after_space && !result.empty()) result += ' ';
      result += c;
    }
    after_space = is_space(c);
  }
  return result;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  const auto end = text.end();
  for (auto at = std::find_if(text.begin(), end, is_in_word); at != end;) {
    const auto behind = std::find_if_not(at, end, is_in_word);
    words.push_back(text.substr(static_cast<std::size_t>(at - text.begin()),
                                static_cast<std::size_t>(behind - at)));
    at = std::find_if(behind, end, is_in_word);
  }
  return words;
}

}  // namespace tour
