#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "bench/suite/system.hpp"

namespace ashmemo::bench {

Values Reader::get_many(std::span<const std::string_view> keys) {
  Values values;
  values.reserve(keys.size());
  for (const std::string_view key : keys) values.push_back(get(key));
  return values;
}

void System::put_many(std::span<const Pair> pairs) {
  for (const auto& [key, value] : pairs) put(key, value);
}

void System::touch(const std::string&) {
  throw std::logic_error("this system does not record reads");
}

std::span<const SystemType> system_types() {
  static const std::array all{kAshmemo, kRawSqlite, kLmdb, kLeveldb, kPersistentCache};
  return all;
}

const SystemType& system_type(std::string_view name) {
  for (const SystemType& type : system_types()) {
    if (type.name == name) return type;
  }
  throw std::runtime_error(fmt::format("unknown system: {}", name));
}

Survives after_put(const SystemType& type, const Setup& setup) {
  return std::max(type.put_survives, setup.survives);
}

Survives after_flush(const SystemType& type, const Setup& setup) {
  return std::max(Survives::process_crash, after_put(type, setup));
}

void append_with_expiry(std::string& to, std::string_view value, std::int64_t expires_at) {
  const std::size_t at = to.size();
  to.resize(at + sizeof expires_at);
  std::memcpy(to.data() + at, &expires_at, sizeof expires_at);
  to += value;
}

std::optional<std::string> value_if_live(std::string_view stored, std::int64_t now) {
  std::int64_t expires_at = 0;
  require(stored.size() >= sizeof expires_at, "a stored value is shorter than its time of expiry");
  std::memcpy(&expires_at, stored.data(), sizeof expires_at);
  if (expires_at <= now) return std::nullopt;
  return std::string(stored.substr(sizeof expires_at));
}

}  // namespace ashmemo::bench
