#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "memory/tier_entry.hpp"

// One entry of the memory tier as words. Reads return the values that were written, and never read
// beyond the words.

using namespace ashmemo;
namespace tier_entry = memory::tier_entry;

namespace {

using Words = std::vector<std::uint64_t>;

struct Row {
  std::string key;
  Value record_version;
  Value value;
  store::EntryView view;  // refers to the values above
};

class Rows {
 public:
  explicit Rows(std::uint32_t seed) : random_(seed) {}

  Row next() {
    Row row;
    row.key = bytes(1 + roll(roll(10) == 0 ? 4'096 : 60));
    row.record_version = value();
    row.value = value();
    row.view.rowid = number();
    row.view.deadlines = deadlines();
    row.view.calculation_id = roll(2) == 0 ? 0 : number();
    row.view.cost_us = roll(2) == 0 ? 0 : number();
    return row;
  }

  std::uint32_t roll(std::uint32_t sides) { return static_cast<std::uint32_t>(random_()) % sides; }
  std::uint64_t word() { return std::uint64_t{random_()} << 32 | random_(); }

 private:
  std::int64_t number() {
    constexpr std::array<std::int64_t, 5> kSpecial = {0, 1, -1,
                                                      std::numeric_limits<std::int64_t>::min(),
                                                      std::numeric_limits<std::int64_t>::max()};
    const std::uint32_t which = roll(8);
    return which < kSpecial.size() ? kSpecial[which] : static_cast<std::int64_t>(word());
  }

  std::string bytes(std::size_t size) {
    std::string out(size, '\0');
    for (char& each : out) each = static_cast<char>(roll(256));
    return out;
  }

  Value value() {
    constexpr std::array<std::size_t, 8> kSizes = {0, 1, 7, 8, 9, 100, 4'000, 70'000};
    const std::size_t size = kSizes[roll(roll(10) == 0 ? 8 : 6)];
    switch (static_cast<ValueType>(roll(5))) {
      case ValueType::null:
        break;
      case ValueType::integer:
        return Value::integer(number());
      case ValueType::real:
        return Value::real(static_cast<double>(number()) / 3);
      case ValueType::text:
        return Value::text(bytes(size));
      case ValueType::blob:
        return Value::blob(bytes(size));
    }
    return {};
  }

  /// Each deadline is equal to the one before, random, or `kForever`.
  store::Deadlines deadlines() {
    store::Deadlines moments;
    moments.computed_at = number();
    std::int64_t last = moments.computed_at;
    for (std::int64_t* moment : {&moments.fresh_until, &moments.expires_at, &moments.keep_until}) {
      const std::uint32_t which = roll(3);
      *moment = which == 0 ? last : which == 1 ? number() : base::kForever;
      last = *moment;
    }
    return moments;
  }

  std::mt19937 random_;
};

Words written(Row& row, std::uint64_t hash = 1) {
  row.view.record_version = row.record_version;
  row.view.value = row.value;
  // The last word is extra and must not change.
  Words words(tier_entry::words_for(row.key, row.view) + 1, 0xabcd);
  tier_entry::write(std::span(words).first(words.size() - 1), row.key, hash, row.view);
  CHECK(words.back() == 0xabcd);
  words.pop_back();
  return words;
}

void check_equal(const store::EntryView& left, const store::EntryView& right) {
  CHECK(left.rowid == right.rowid);
  CHECK(left.deadlines.computed_at == right.deadlines.computed_at);
  CHECK(left.deadlines.fresh_until == right.deadlines.fresh_until);
  CHECK(left.deadlines.expires_at == right.deadlines.expires_at);
  CHECK(left.deadlines.keep_until == right.deadlines.keep_until);
  CHECK(left.calculation_id == right.calculation_id);
  CHECK(left.cost_us == right.cost_us);
  CHECK((left.record_version == right.record_version));
  CHECK((left.value == right.value));
}

bool is_within(std::string_view bytes, const Words& words) {
  if (bytes.empty()) return true;
  const auto* const begin = reinterpret_cast<const char*>(words.data());
  return bytes.data() >= begin && bytes.data() + bytes.size() <= begin + words.size() * 8;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a row read from words is equal to the row that was written") {
    Rows rows(7);
    for (int i = 0; i < 3'000; ++i) {
      Row row = rows.next();
      const std::uint64_t hash = rows.word();
      const Words words = written(row, hash);
      CHECK(tier_entry::words_in(words[0]) == words.size());
      CHECK(words[tier_entry::kHashWord] == hash);
      store::EntryView read;
      REQUIRE(tier_entry::read(words, row.key, read));
      check_equal(read, row.view);
    }
  }

  TEST_CASE("an entry without a ttl needs four words besides its key and value") {
    Row row;
    row.key = "a key of sixteen";
    row.value = Value::integer(5);
    CHECK(written(row).size() == 4 + 2 + 1);
    row.value = {};
    CHECK(written(row).size() == 4 + 2);
  }

  TEST_CASE("read refuses the words of another key") {
    Rows rows(8);
    for (int i = 0; i < 300; ++i) {
      Row row = rows.next();
      const Words words = written(row);
      store::EntryView read;
      std::string other = row.key;
      const std::size_t at = rows.roll(static_cast<std::uint32_t>(other.size()));
      other[at] = static_cast<char>(other[at] + 1);
      CHECK_FALSE(tier_entry::read(words, other, read));
      CHECK_FALSE(tier_entry::read(words, row.key + "x", read));
      CHECK_FALSE(tier_entry::read(words, row.key.substr(1), read));
    }
  }

  TEST_CASE("a dead entry is marked and keeps its size") {
    Rows rows(9);
    Row row = rows.next();
    const Words words = written(row);
    const std::uint64_t dead = tier_entry::as_dead(words[0]);
    CHECK_FALSE(tier_entry::is_dead(words[0]));
    CHECK(tier_entry::is_dead(dead));
    CHECK(tier_entry::words_in(dead) == words.size());
  }

  TEST_CASE("read stays within the words even if a writer changed them") {
    Rows rows(10);
    for (int i = 0; i < 20'000; ++i) {
      Row row = rows.next();
      Words words = written(row);
      const std::uint64_t changes = 1 + rows.roll(4);
      for (std::uint64_t n = 0; n < changes; ++n) {
        const std::size_t at = rows.roll(static_cast<std::uint32_t>(
            std::min<std::size_t>(words.size(), rows.roll(2) == 0 ? 1 : 12)));
        words[at] = rows.roll(2) == 0 ? rows.word() : words[at] ^ std::uint64_t{1} << rows.roll(64);
      }
      if (rows.roll(3) == 0) words.resize(std::max<std::size_t>(4, words.size() / 2));
      words.shrink_to_fit();
      // The first word still contains the length of this key.
      words[0] = (words[0] & ~std::uint64_t{0x1fff}) | row.key.size();
      store::EntryView read;
      if (!tier_entry::read(words, row.key, read)) continue;
      CHECK(is_within(read.record_version.bytes(), words));
      CHECK(is_within(read.value.bytes(), words));
    }
  }
}
