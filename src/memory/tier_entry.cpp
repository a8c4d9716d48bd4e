#include "memory/tier_entry.hpp"

#include <bit>
#include <cstring>

namespace ashmemo::memory::tier_entry {

namespace {

// The first word: | words 32 | flags 13 | value type 3 | version type 3 | bytes of the key 13 |
constexpr int kVersionShift = 13;
constexpr int kValueShift = 16;
constexpr int kFlagShift = 19;
constexpr int kWordsShift = 32;
constexpr std::uint64_t kKeyMask = (1u << kVersionShift) - 1;
constexpr std::uint64_t kTypeMask = 7;

// Each flag says that the entry has the word of that field.
enum Flag : std::uint64_t {
  kFreshUntil = 1u << kFlagShift,  // absent: never
  kExpiresAt = kFreshUntil << 1,   // absent: same as fresh_until
  kKeepUntil = kFreshUntil << 2,   // absent: same as expires_at
  kCalculation = kFreshUntil << 3,
  kCost = kFreshUntil << 4,
  kDead = kFreshUntil << 5,  // no word: the entry was removed
};

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

std::size_t words_of(std::string_view bytes) noexcept {
  return (bytes.size() + kWordBytes - 1) / kWordBytes;
}

bool has_bytes(ValueType type) noexcept {
  return type == ValueType::text || type == ValueType::blob;
}

std::size_t words_of(ValueView value) noexcept {
  if (value.type() == ValueType::null) return 0;
  return 1 + (has_bytes(value.type()) ? words_of(value.bytes()) : 0);
}

std::uint64_t flags_of(const store::EntryView& row) noexcept {
  const store::Deadlines& moments = row.deadlines;
  std::uint64_t flags = 0;
  if (moments.fresh_until != base::kForever) flags |= kFreshUntil;
  if (moments.expires_at != moments.fresh_until) flags |= kExpiresAt;
  if (moments.keep_until != moments.expires_at) flags |= kKeepUntil;
  if (row.calculation_id != 0) flags |= kCalculation;
  if (row.cost_us != 0) flags |= kCost;
  return flags;
}

constexpr std::uint64_t kWordFlags = kFreshUntil | kExpiresAt | kKeepUntil | kCalculation | kCost;

class Out {
 public:
  explicit Out(std::span<std::uint64_t> words) noexcept : at_(words.data()) {}

  void number(std::uint64_t number) noexcept { *at_++ = number; }
  void number(std::int64_t number) noexcept { *at_++ = static_cast<std::uint64_t>(number); }
  void number_if(bool is_there, std::int64_t value) noexcept {
    if (is_there) number(value);
  }
  void bytes(std::string_view bytes) noexcept {
    const std::size_t words = words_of(bytes);
    if (words == 0) return;
    at_[words - 1] = 0;
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += words;
  }
  void value(ValueView value) noexcept {
    switch (value.type()) {
      case ValueType::null:
        return;
      case ValueType::integer:
        return number(value.as_integer());
      case ValueType::real:
        return number(std::bit_cast<std::uint64_t>(value.as_real()));
      case ValueType::text:
      case ValueType::blob:
        number(static_cast<std::uint64_t>(value.bytes().size()));
        return bytes(value.bytes());
    }
  }

 private:
  std::uint64_t* at_;
};

/// Reads words that may be torn: any length may be wrong, so it never reads beyond the last word.
class In {
 public:
  explicit In(std::span<const std::uint64_t> words) noexcept
      : at_(words.data()), end_(words.data() + words.size()) {}

  std::int64_t number() noexcept { return at_ == end_ ? 0 : static_cast<std::int64_t>(*at_++); }
  std::int64_t number_if(bool is_there, std::int64_t otherwise) noexcept {
    return is_there ? number() : otherwise;
  }
  std::string_view bytes(std::size_t size) noexcept {
    if (size > static_cast<std::size_t>(end_ - at_) * kWordBytes) return {};
    const std::string_view out(reinterpret_cast<const char*>(at_), size);
    at_ += words_of(out);
    return out;
  }
  ValueView value(ValueType type) noexcept {
    switch (type) {
      case ValueType::null:
        break;
      case ValueType::integer:
        return ValueView::integer(number());
      case ValueType::real:
        return ValueView::real(std::bit_cast<double>(number()));
      case ValueType::text:
        return ValueView::text(bytes(static_cast<std::size_t>(number())));
      case ValueType::blob:
        return ValueView::blob(bytes(static_cast<std::size_t>(number())));
    }
    return {};
  }

 private:
  const std::uint64_t* at_;
  const std::uint64_t* const end_;
};

ValueType type_at(std::uint64_t first, int shift) noexcept {
  return static_cast<ValueType>(first >> shift & kTypeMask);
}

}  // namespace

std::size_t words_in(std::uint64_t first) noexcept {
  return static_cast<std::size_t>(first >> kWordsShift);
}
std::uint64_t as_dead(std::uint64_t first) noexcept { return first | kDead; }
bool is_dead(std::uint64_t first) noexcept { return (first & kDead) != 0; }

std::size_t words_for(std::string_view key, const store::EntryView& row) noexcept {
  return kMinWords + static_cast<std::size_t>(std::popcount(flags_of(row) & kWordFlags)) +
         words_of(row.record_version) + words_of(row.value) + words_of(key);
}

void write(std::span<std::uint64_t> out, std::string_view key, std::uint64_t hash,
           const store::EntryView& row) noexcept {
  const std::uint64_t flags = flags_of(row);
  const auto type = [](ValueView value) { return static_cast<std::uint64_t>(value.type()); };
  Out words(out);
  words.number(static_cast<std::uint64_t>(out.size()) << kWordsShift | flags |
               type(row.value) << kValueShift | type(row.record_version) << kVersionShift |
               key.size());
  words.number(hash);
  words.number(row.rowid);
  words.number(row.deadlines.computed_at);
  words.number_if((flags & kFreshUntil) != 0, row.deadlines.fresh_until);
  words.number_if((flags & kExpiresAt) != 0, row.deadlines.expires_at);
  words.number_if((flags & kKeepUntil) != 0, row.deadlines.keep_until);
  words.number_if((flags & kCalculation) != 0, row.calculation_id);
  words.number_if((flags & kCost) != 0, row.cost_us);
  words.bytes(key);
  words.value(row.record_version);
  words.value(row.value);
}

bool read(std::span<const std::uint64_t> words, std::string_view key,
          store::EntryView& row) noexcept {
  const std::uint64_t first = words[0];
  if ((first & kKeyMask) != key.size()) return false;
  In in(words.subspan(kHashWord + 1));
  row.rowid = in.number();
  store::Deadlines& moments = row.deadlines;
  moments.computed_at = in.number();
  moments.fresh_until = in.number_if((first & kFreshUntil) != 0, base::kForever);
  moments.expires_at = in.number_if((first & kExpiresAt) != 0, moments.fresh_until);
  moments.keep_until = in.number_if((first & kKeepUntil) != 0, moments.expires_at);
  row.calculation_id = in.number_if((first & kCalculation) != 0, 0);
  row.cost_us = in.number_if((first & kCost) != 0, 0);
  if (in.bytes(key.size()) != key) return false;
  row.record_version = in.value(type_at(first, kVersionShift));
  row.value = in.value(type_at(first, kValueShift));
  return true;
}

}  // namespace ashmemo::memory::tier_entry
