#include <fmt/format.h>

#include <string>

#include <ashmemo/detail/page.hpp>
#include <ashmemo/detail/resource_core.hpp>
#include <ashmemo/detail/typed.hpp>
#include <ashmemo/error.hpp>

namespace ashmemo::detail {

void throw_empty_record(std::size_t index) {
  throw Error(
      ErrorCode::misuse,
      fmt::format("record {} of the page is empty: a null pointer or an optional of nothing",
                  index),
      std::to_string(index));
}

void throw_empty_handle() {
  throw Error(ErrorCode::misuse,
              "an empty Calculation was used: assign what Resource::calculation or find returns");
}

void throw_foreign(const ResourceCore& resource, const CalculationCore& calculation) {
  throw Error(ErrorCode::misuse,
              fmt::format("{} was given to a load of another resource, '{}'", label_of(calculation),
                          name_of(resource)),
              name_of(calculation));
}

void throw_wrong_number(std::string_view who, std::size_t got, std::size_t asked) {
  throw Error(ErrorCode::wrong_number_of_results,
              fmt::format("{} returned {} results where {} were asked for", who, got, asked),
              std::string(who));
}

}  // namespace ashmemo::detail
