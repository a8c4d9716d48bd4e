#include "bench/suite/raw_reader.hpp"

#include <algorithm>
#include <numeric>

namespace ashmemo::bench {

void RawReaders::add(RawReader* reader) {
  const std::lock_guard lock(mutex_);
  all_.push_back(reader);
}

void RawReaders::remove(RawReader* reader) {
  const std::lock_guard lock(mutex_);
  std::erase(all_, reader);
}

void RawReaders::end_transactions() {
  const std::lock_guard lock(mutex_);
  for (RawReader* const reader : all_) reader->end_transaction();
}

RawReader::RawReader(const std::string& path, std::int64_t page_cache_bytes, RawReaders& readers)
    : readers_(readers), connection_(path, page_cache_bytes) {
  readers_.add(this);
}

RawReader::~RawReader() { readers_.remove(this); }

std::optional<std::string> RawReader::get(std::string_view key) {
  const std::lock_guard lock(mutex_);
  use_snapshot_locked();
  return look_up_locked(key, wall_now());
}

Values RawReader::get_many(std::span<const std::string_view> keys) {
  const std::lock_guard lock(mutex_);
  use_snapshot_locked();
  order_.resize(keys.size());
  std::iota(order_.begin(), order_.end(), 0U);
  std::sort(order_.begin(), order_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
  Values values(keys.size());
  const std::int64_t now = wall_now();
  for (const std::uint32_t at : order_) values[at] = look_up_locked(keys[at], now);
  return values;
}

void RawReader::end_transaction() {
  const std::lock_guard lock(mutex_);
  if (in_transaction_) end_.run();
  in_transaction_ = false;
}

void RawReader::use_snapshot_locked() {
  if (in_transaction_) return;
  begin_.run();
  in_transaction_ = true;
}

std::optional<std::string> RawReader::look_up_locked(std::string_view key, std::int64_t now) {
  std::optional<std::string> value;
  find_.bind(1, key);
  if (find_.step() && find_.integer(0) <= now && now < find_.integer(1)) {
    value = std::string(find_.text(2));
  }
  find_.reset();
  return value;
}

}  // namespace ashmemo::bench
