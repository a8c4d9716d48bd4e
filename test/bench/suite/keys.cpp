#include "bench/suite/keys.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>

#include <fmt/format.h>

#include "bench/entries.hpp"
#include "bench/zipf.hpp"

namespace ashmemo::bench {
namespace {

constexpr double kExponent = 0.99;
constexpr std::string_view kPrefix = "Post:";  // of the keys that key_of returns

std::shared_ptr<const std::vector<std::uint32_t>> shuffled_numbers(std::size_t count,
                                                                   std::uint64_t seed) {
  auto numbers = std::make_shared<std::vector<std::uint32_t>>(count);
  std::iota(numbers->begin(), numbers->end(), 0U);
  std::shuffle(numbers->begin(), numbers->end(), std::mt19937_64(seed));
  return numbers;
}

}  // namespace

Chooser uniform(std::size_t count, std::uint64_t seed) {
  return [random = std::mt19937_64(seed), any = std::uniform_int_distribution<std::size_t>(
                                              0, count - 1)]() mutable { return any(random); };
}

Chooser zipf(std::size_t count, std::uint64_t seed) {
  static std::map<std::size_t, Zipf> of_count;
  const Zipf& one = of_count.try_emplace(count, count, kExponent, 1).first->second;
  return [numbers = std::make_shared<Zipf>(one.with_seed(seed))] { return numbers->next(); };
}

Chooser shuffled(std::size_t count, std::uint64_t seed) {
  return [numbers = shuffled_numbers(count, seed), at = std::size_t{0}]() mutable {
    return (*numbers)[at++ % numbers->size()];
  };
}

Chooser late_half(std::size_t count, std::uint64_t seed) {
  return [numbers = shuffled_numbers(count, seed), choose = uniform(count - count / 2)] {
    return (*numbers)[numbers->size() / 2 + choose()];
  };
}

Chooser groups(std::size_t count, std::size_t size, std::uint64_t seed) {
  if (count < size) {
    throw std::runtime_error(
        fmt::format("{} entries are fewer than the {} of a group", count, size));
  }
  return [numbers = shuffled_numbers(count, seed), choose = uniform(count / size), size,
          first = std::size_t{0}, at = std::size_t{0}]() mutable {
    if (at == 0) first = choose() * size;
    const std::size_t number = (*numbers)[first + at];
    at = (at + 1) % size;
    return number;
  };
}

Chooser ascending(std::size_t from) {
  return [next = from]() mutable { return next++; };
}

std::span<const std::string_view> KeyBlock::next() {
  views_.clear();
  for (std::string& key : keys_) {
    key.clear();
    fmt::format_to(std::back_inserter(key), "{}{}:{}", kPrefix, choose_(), part_);
    views_.push_back(key);
  }
  return views_;
}

std::span<const Pair> PairBlock::next() {
  for (auto& [key, value] : pairs_) {
    const std::size_t number = choose_();
    key = key_of(number);
    value = value_of(number, value_bytes_);
  }
  return pairs_;
}

bool is_right(std::string_view key, const std::string& value, std::size_t value_bytes) {
  return value.size() == value_bytes && value.front() == key[kPrefix.size()] &&
         value.back() != '\0';
}

std::size_t count_right(std::span<const std::string_view> keys, const Values& values,
                        std::size_t value_bytes) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!values[i]) continue;
    if (!is_right(keys[i], *values[i], value_bytes)) {
      throw std::runtime_error(fmt::format("{} has the value of another key", keys[i]));
    }
    ++found;
  }
  return found;
}

}  // namespace ashmemo::bench
