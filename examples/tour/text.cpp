#include "text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tour {
namespace {

// These do not depend on the locale, unlike std::isspace and std::isalnum.
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
bool is_in_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || is_upper(c) || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

bool is_text(const std::string& bytes) {
  if (bytes.find('\0') != std::string::npos) return false;
  try {
    (void)nlohmann::json(bytes).dump();  // throws for bytes that are not UTF-8
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

std::size_t count_words(std::string_view text) noexcept {
  std::size_t count = 0;
  bool is_inside = false;
  for (const char c : text) {
    if (!is_inside && !is_space(c)) ++count;
    is_inside = !is_space(c);
  }
  return count;
}

std::string normalized(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  bool is_after_space = false;
  for (const char c : text) {
    if (!is_space(c)) {
      if (is_after_space && !result.empty()) result += ' ';
      result += is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
    }
    is_after_space = is_space(c);
  }
  return result;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  auto at = std::find_if(text.begin(), text.end(), is_in_word);
  while (at != text.end()) {
    const auto end = std::find_if_not(at, text.end(), is_in_word);
    words.emplace_back(at, end);
    at = std::find_if(end, text.end(), is_in_word);
  }
  return words;
}

}  // namespace tour
