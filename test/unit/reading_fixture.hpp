#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "support/fake_engine.hpp"

namespace ashmemo::test {

inline engine::Query query(std::string_view key, engine::CalculationState* calculation = nullptr,
                           ValueView version = {}) {
  return {key, calculation, version, {}};
}

/// A row that is always fresh.
inline FakeRow text_row(const FakeEngine& fake, std::string text, std::int64_t calculation_id = 0) {
  FakeRow row;
  row.byte_size = 100;
  row.deadlines.computed_at = fake.clock->wall_now();
  row.calculation_id = calculation_id;
  row.value = Value::text(std::move(text));
  return row;
}

}  // namespace ashmemo::test
