#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <ashmemo/value.hpp>

namespace {

using ashmemo::Value;
using ashmemo::ValueType;
using ashmemo::ValueView;
using namespace std::string_view_literals;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

static_assert(std::is_trivially_copyable_v<ValueView>);
static_assert(ValueView{} == ValueView::null());
static_assert(ValueView::integer(7).as_integer() == 7);
static_assert(ValueView::real(0.5).as_real() == 0.5);
static_assert(!std::is_convertible_v<ValueView, Value>, "copying the bytes must be explicit");
static_assert(std::is_convertible_v<const Value&, ValueView>);

// Values of all types that must differ from each other.
std::vector<Value> different_values() {
  return {Value::null(),      Value::integer(0),         Value::integer(1), Value::real(0.0),
          Value::real(-0.0),  Value::real(1.0),          Value::real(kNan), Value::text(""),
          Value::text("nan"), Value::text({"nan\0", 4}), Value::blob(""),   Value::blob("nan")};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a value has one of SQLite's five types") {
    CHECK(Value().type() == ValueType::null);
    CHECK(Value::null().type() == ValueType::null);
    CHECK(Value::integer(-5).type() == ValueType::integer);
    CHECK(Value::real(0.5).type() == ValueType::real);
    CHECK(Value::text("a").type() == ValueType::text);
    CHECK(Value::blob("a").type() == ValueType::blob);
  }

  TEST_CASE("a value returns its content, and 0 or no bytes as another type") {
    CHECK(Value::integer(-5).as_integer() == -5);
    CHECK(Value::integer(-5).as_real() == 0.0);
    CHECK(Value::integer(-5).bytes().empty());
    CHECK(Value::real(0.5).as_real() == 0.5);
    CHECK(Value::real(0.5).as_integer() == 0);
    CHECK(Value::text("42").bytes() == "42");
    CHECK(Value::text("42").as_integer() == 0);
    CHECK(ValueView::blob("\0\1"sv).bytes() == "\0\1"sv);
  }

  TEST_CASE("values are equal if types and contents are equal, with reals compared by bits") {
    const std::vector<Value> values = different_values();
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::size_t j = 0; j < values.size(); ++j) {
        CAPTURE(i);
        CAPTURE(j);
        CHECK((values[i] == values[j]) == (i == j));
        CHECK((values[i].view() == values[j].view()) == (i == j));
      }
    }
  }

  TEST_CASE("an owned value does not depend on the view that it was made from") {
    for (const Value& original : different_values()) {
      Value copy(original.view());
      CHECK(copy == original);
      CHECK(copy.view() == original.view());
      const Value moved = std::move(copy);
      CHECK(moved == original);
    }
  }

  TEST_CASE("a text keeps its NUL bytes") {
    const Value value = Value::text(std::string("a\0b\0", 4));
    CHECK(value.bytes() == "a\0b\0"sv);
    CHECK(value.size_bytes() == 4);
  }

  TEST_CASE("a view never returns a null pointer, which SQLite would store as NULL") {
    CHECK(ValueView::text(std::string_view{}).bytes().data() != nullptr);
    CHECK(ValueView::blob(std::string_view{}).bytes().data() != nullptr);
    CHECK(ValueView::null().bytes().data() != nullptr);
    CHECK(ValueView::text(std::string_view{}) == ValueView::text(""));
    CHECK(ValueView::text(std::string_view{}) != ValueView::null());
  }

  TEST_CASE("the size of a value is the size of its content") {
    CHECK(Value::null().size_bytes() == 0);
    CHECK(Value::integer(1).size_bytes() == 8);
    CHECK(Value::real(1).size_bytes() == 8);
    CHECK(Value::text("").size_bytes() == 0);
    CHECK(Value::blob(std::string(1000, 'x')).size_bytes() == 1000);
  }
}
