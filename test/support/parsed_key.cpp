#include "support/parsed_key.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

namespace ashmemo::test {
namespace {

// Whether a key has this character only as an escape. Written independently of the library.
bool needs_escape(char character) noexcept {
  const auto code = static_cast<unsigned char>(character);
  return code < 0x20 || code == 0x7f ||
         std::string_view("%:(),@;[]~").find(character) != std::string_view::npos;
}

constexpr std::size_t kEscapeBytes = 3;

// The value of an upper-case hexadecimal digit, -1 for anything else.
int hex_value(char digit) noexcept {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// The character of an escape at the start of `text`. Only characters that need an escape may have
// one. Otherwise one text would have two spellings, and one calculation two keys.
std::optional<char> escaped_character(std::string_view text) noexcept {
  if (text.size() < kEscapeBytes || text[0] != '%') return std::nullopt;
  const int high = hex_value(text[1]);
  const int low = hex_value(text[2]);
  if (high < 0 || low < 0) return std::nullopt;
  const auto character = static_cast<char>(high * 16 + low);
  if (!needs_escape(character)) return std::nullopt;
  return character;
}

// How many bytes of `rest` are text: plain characters and escapes, up to structure, an error or the
// end.
std::size_t text_length(std::string_view rest) noexcept {
  std::size_t length = 0;
  while (length < rest.size()) {
    if (!needs_escape(rest[length])) {
      ++length;
    } else if (escaped_character(rest.substr(length))) {
      length += kEscapeBytes;
    } else {
      break;
    }
  }
  return length;
}

bool is_text(std::string_view text) noexcept { return text_length(text) == text.size(); }

// The length of one text or one run of tildes.
std::size_t leaf_length(std::string_view rest) noexcept {
  if (!rest.starts_with('~')) return text_length(rest);
  return std::min(rest.find_first_not_of('~'), rest.size());
}

// Whether this is one part of the grammar. It counts the depth instead of recursing, because a key
// may consist of brackets only.
bool is_part(std::string_view rest) noexcept {
  std::size_t depth = 0;
  bool element_due = true;
  for (;;) {
    if (!element_due) {
      if (depth == 0) return rest.empty();
      if (!rest.starts_with(';')) return false;
      rest.remove_prefix(1);
      element_due = true;
    } else if (rest.starts_with('[')) {
      rest.remove_prefix(1);
      ++depth;
    } else if (depth > 0 && rest.starts_with(']')) {
      rest.remove_prefix(1);
      --depth;
      element_due = false;
    } else {
      rest.remove_prefix(leaf_length(rest));
      element_due = false;
    }
  }
}

// `text` has passed is_text or is_part, so every percent sign in it begins an escape.
std::string without_escapes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::optional<char> escaped = escaped_character(text);
    out += escaped.value_or(text.front());
    text.remove_prefix(escaped ? kEscapeBytes : 1);
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (;;) {
    const std::size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return pieces;
    text.remove_prefix(end + 1);
  }
}

bool read_record(std::span<const std::string_view> pieces, ParsedKey& out) {
  if (!is_text(pieces.front())) return false;
  out.resource = without_escapes(pieces.front());
  for (const std::string_view part : pieces.subspan(1)) {
    if (!is_part(part)) return false;
    out.key.push_back(without_escapes(part));
  }
  return true;
}

bool read_scope(std::string_view scope, ParsedKey& out) {
  if (!is_part(scope)) return false;
  out.scope = without_escapes(scope);
  return true;
}

bool read_arguments(std::string_view arguments, ParsedKey& out) {
  for (const std::string_view argument : split(arguments, ',')) {
    if (!is_part(argument)) return false;
    out.arguments.emplace_back(argument);
  }
  return true;
}

// "name" or "name(arguments)".
bool read_call(std::string_view call, ParsedKey& out) {
  const std::size_t open = call.find('(');
  const std::string_view name = call.substr(0, open);
  if (!is_text(name)) return false;
  out.calculation = without_escapes(name);
  if (open == std::string_view::npos) return true;
  if (!call.ends_with(')')) return false;
  return read_arguments(call.substr(open + 1, call.size() - open - 2), out);
}

// "call" or "call@scope".
bool read_calculation(std::string_view text, ParsedKey& out) {
  const std::size_t mark = text.find('@');
  if (mark != std::string_view::npos && !read_scope(text.substr(mark + 1), out)) return false;
  return read_call(text.substr(0, mark), out);
}

}  // namespace

std::optional<ParsedKey> parse_key(std::string_view key) {
  // Resource, at least one part of the record's key, calculation.
  constexpr std::size_t kMinPieces = 3;
  const std::vector<std::string_view> pieces = split(key, ':');
  if (pieces.size() < kMinPieces) return std::nullopt;
  ParsedKey parsed;
  if (!read_record(std::span(pieces).first(pieces.size() - 1), parsed)) return std::nullopt;
  if (!read_calculation(pieces.back(), parsed)) return std::nullopt;
  return parsed;
}

}  // namespace ashmemo::test
