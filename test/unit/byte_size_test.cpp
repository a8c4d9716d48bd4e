#include "store/byte_size.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/store_fixture.hpp"

using namespace ashmemo;
using store::byte_size;
using test::StoreFixture;

namespace {

constexpr double kMiB = 1024 * 1024;

struct Shape {
  std::size_t value_bytes;  // 8: an integer
  std::size_t key_bytes;
  bool expires;
};

/// Fills a file with random entries of one shape. Then it inserts, overwrites and removes entries
/// until the size of the file is stable. `cost` measures the bytes for one entry, `predicted`
/// returns the result of `byte_size`.
class Churn {
 public:
  Churn(const Shape& shape, unsigned seed) : shape_(shape), random_(seed) {
    file_.options.writer_cache_bytes = 16 << 20;
    file_.reopen();
    const double total = shape.value_bytes > 50'000 ? 8 * kMiB : 1.5 * kMiB;
    entries_ = static_cast<std::size_t>(total / static_cast<double>(predicted()));
    bytes_.assign(shape.value_bytes, 'v');
  }

  [[nodiscard]] std::int64_t predicted() const {
    return byte_size(std::string(shape_.key_bytes, 'k'), value(), ValueView::null(),
                     shape_.expires);
  }

  [[nodiscard]] double cost() {
    run(entries_, [this] { insert(); });
    run(entries_ * 4, [this] {
      switch (below(3)) {
        case 0:
          return insert();
        case 1:
          return remove();
        default:
          return overwrite();
      }
    });
    auto& raw = file_.raw();
    const auto pages = raw.integer("PRAGMA page_count") - raw.integer("PRAGMA freelist_count");
    // The pages of a file without entries.
    constexpr std::int64_t kEmptyPages = 13;
    return static_cast<double>(pages - kEmptyPages) * 4'096 / static_cast<double>(keys_.size());
  }

 private:
  [[nodiscard]] ValueView value() const {
    if (shape_.value_bytes == 8)
      return ValueView::integer(std::numeric_limits<std::int64_t>::max());
    return ValueView::blob({bytes_.data(), shape_.value_bytes});
  }
  std::size_t below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }

  template <class F>
  void run(std::size_t steps, const F& step) {
    const std::size_t at_once = 1 + (std::size_t{1} << 20) / (shape_.value_bytes + 1'000);
    while (steps > 0) {
      const std::size_t now = std::min(steps, at_once);
      file_.transaction([&](store::Writer& writer) {
        writer_ = &writer;
        for (std::size_t i = 0; i < now; ++i) step();
      });
      steps -= now;
      if (file_.writer().wal_bytes() > 16 << 20) REQUIRE(file_.writer().checkpoint(false));
    }
  }

  void insert() {
    std::string key = "Post:";
    while (key.size() < shape_.key_bytes) key.push_back(static_cast<char>('a' + below(26)));
    key.resize(shape_.key_bytes);
    if (put(key)) keys_.push_back(key);
  }
  void overwrite() { put(keys_[below(keys_.size())]); }
  void remove() {
    if (keys_.size() < entries_ * 9 / 10) return;
    std::string& key = keys_[below(keys_.size())];
    REQUIRE(writer_->delete_key(key));
    key = keys_.back();
    keys_.pop_back();
  }
  bool put(const std::string& key) {
    stamp_ += 37;
    store::PutRow row = test::row_of(key, value(), stamp_);
    row.byte_size = predicted();
    row.deadlines.computed_at = stamp_;
    row.cost_us = static_cast<std::int64_t>(below(100'000));
    row.calculation_id = 3;
    if (shape_.expires) {
      const std::int64_t end = stamp_ + 3'600'000'000;
      row.deadlines.fresh_until = row.deadlines.expires_at = row.deadlines.keep_until = end;
    }
    const auto before = writer_->put(row);
    REQUIRE(before);
    return !before->has_value();
  }

  const Shape shape_;
  std::mt19937 random_;
  StoreFixture file_;
  std::string bytes_;
  std::vector<std::string> keys_;
  store::Writer* writer_ = nullptr;
  std::size_t entries_ = 0;
  std::int64_t stamp_ = 1'700'000'000'000'000;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("byte_size predicts the cost of an entry in a file that changed a lot within 15 %") {
    std::string table = "value   key   expires  byte_size      file   ratio\n";
    bool all_within = true;
    const std::vector<Shape> shapes = {
        {8, 10, true},      {8, 24, true},       {8, 24, false},     {8, 200, true},
        {100, 10, true},    {100, 24, true},     {100, 60, false},   {100, 200, true},
        {300, 24, true},    {300, 100, false},   {1'024, 24, true},  {1'024, 200, true},
        {2'100, 24, true},  {2'100, 100, false}, {5'120, 24, true},  {5'120, 200, false},
        {65'536, 24, true}, {300'000, 24, true}, {1 << 20, 24, true}};
    for (const Shape& shape : shapes) {
      Churn churn(shape, 20'240'601);
      const double cost = churn.cost();
      const double ratio = static_cast<double>(churn.predicted()) / cost;
      char line[100];
      std::snprintf(line, sizeof(line), "%7zu  %4zu  %7s  %9lld  %8.0f   %.3f\n", shape.value_bytes,
                    shape.key_bytes, shape.expires ? "yes" : "no",
                    static_cast<long long>(churn.predicted()), cost, ratio);
      table += line;
      all_within = all_within && std::abs(ratio - 1) <= 0.15;
    }
    CHECK_MESSAGE(all_within, table);
  }

  TEST_CASE("byte_size depends on the lengths of key, value and version and not on their content") {
    const auto of = [](std::size_t key, std::size_t value) {
      return byte_size(std::string(key, 'k'), ValueView::blob(std::string(value, 'v')),
                       ValueView::null(), true);
    };
    for (std::size_t key : {1u, 50u, 1'000u, 1'010u, 4'096u}) {
      std::int64_t last = 0;
      for (std::size_t value = 0; value < 10'000; value += 7) {
        const std::int64_t now = of(key, value);
        // A row that gets one more overflow page keeps a smaller part in the shared page. The size
        // may then fall, but by less than 3,400 bytes.
        CHECK(now >= last - 3'400);
        CHECK(now > static_cast<std::int64_t>(key + value));
        last = now;
      }
    }
    CHECK(byte_size("key", ValueView::text("abc"), ValueView::null(), true) ==
          byte_size("yek", ValueView::blob("xyz"), ValueView::null(), true));
    CHECK(byte_size("key", ValueView::null(), ValueView::null(), true) >
          byte_size("key", ValueView::null(), ValueView::null(), false));
    CHECK(byte_size("key", ValueView::null(), ValueView::text(std::string(200, 'v')), false) >
          byte_size("key", ValueView::null(), ValueView::integer(1), false));
  }

  TEST_CASE("byte_size of an integer depends on the bytes that SQLite stores for it") {
    const auto of = [](std::int64_t number) {
      return byte_size("key", ValueView::integer(number), ValueView::null(), false);
    };
    CHECK(of(0) == byte_size("key", ValueView::null(), ValueView::null(), false));
    CHECK(of(std::numeric_limits<std::int64_t>::min()) ==
          byte_size("key", ValueView::real(0.5), ValueView::null(), false));
    CHECK(of(-128) <= of(-129));
    CHECK(of(1'000'000) <= of(std::numeric_limits<std::int64_t>::max()));
  }
}
