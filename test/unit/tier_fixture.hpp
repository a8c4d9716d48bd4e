#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "memory/memory_tier.hpp"

// A memory tier without the rest of the engine.

namespace ashmemo::test {

struct TierFixture {
  explicit TierFixture(std::int64_t bytes = 1 << 20) : tier(memory::make_memory_tier(bytes)) {}

  static store::EntryView text_row(std::string_view text) {
    store::EntryView row;
    row.rowid = 1;
    row.value = ValueView::text(text);
    return row;
  }

  /// Looks up the key as a reader does before it fills the tier.
  [[nodiscard]] memory::MemoryTier::Look look(std::string_view key) {
    memory::MemoryTier::Look look;
    memory::TierCopy copy;
    store::EntryView row;
    (void)tier->find(key, look, copy, row);
    return look;
  }
  void fill(std::string_view key, std::string_view text) {
    tier->fill(key, look(key), text_row(text));
  }
  /// Begins and ends a change of the key.
  void change(std::string_view key) { const memory::TierChange change(tier.get(), key); }
  void change_all() { const memory::TierChange change(tier.get()); }

  [[nodiscard]] std::optional<std::string> get(std::string_view key) {
    memory::MemoryTier::Look look;
    memory::TierCopy copy;
    store::EntryView row;
    if (!tier->find(key, look, copy, row)) return std::nullopt;
    return std::string(row.value.bytes());
  }

  [[nodiscard]] memory::TierUsage usage() const { return tier->usage(); }

  std::unique_ptr<memory::MemoryTier> tier;
};

}  // namespace ashmemo::test
