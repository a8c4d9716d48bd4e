#include "eviction/ghost_table.hpp"

#include <algorithm>
#include <utility>

namespace ashmemo::eviction {
namespace {

constexpr std::size_t kMaxWays = 16;  // of 4 bytes: a cache line

// FNV-1a, then a mixing step: the upper bits choose the bucket, and in FNV-1a alone they hardly
// depend on a key's last characters. Never 0, because 0 means "no fingerprint".
std::uint32_t fingerprint_of(std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char character : key) {
    hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3U;
  }
  hash = (hash ^ (hash >> 32)) * 0x9e3779b97f4a7c15U;
  return std::max(static_cast<std::uint32_t>(hash >> 32), std::uint32_t{1});
}

}  // namespace

void GhostTable::resize(std::size_t keys) {
  GhostTable resized;
  resized.buckets_ = (keys + kMaxWays - 1) / kMaxWays;
  if (resized.buckets_ > 0) {
    resized.ways_ = (keys + resized.buckets_ - 1) / resized.buckets_;
    resized.fingerprints_.resize(resized.buckets_ * resized.ways_);
    // Inserts from oldest to newest over all buckets together, because several old buckets may
    // share a new one.
    for (std::size_t way = ways_; way-- > 0;) {
      for (std::size_t bucket = 0; bucket < buckets_; ++bucket) {
        const std::uint32_t fingerprint = fingerprints_[bucket * ways_ + way];
        if (fingerprint != 0) resized.insert_fingerprint(fingerprint);
      }
    }
  }
  *this = std::move(resized);
}

std::uint32_t* GhostTable::bucket_of(std::uint32_t fingerprint) {
  const std::uint64_t bucket = (std::uint64_t{fingerprint} * buckets_) >> 32;
  return fingerprints_.data() + bucket * ways_;
}

void GhostTable::insert_fingerprint(std::uint32_t fingerprint) {
  std::uint32_t* const bucket = bucket_of(fingerprint);
  std::move_backward(bucket, bucket + ways_ - 1, bucket + ways_);
  *bucket = fingerprint;
}

void GhostTable::insert(std::string_view key) {
  if (buckets_ > 0) insert_fingerprint(fingerprint_of(key));
}

bool GhostTable::take(std::string_view key) {
  if (buckets_ == 0) return false;
  const std::uint32_t fingerprint = fingerprint_of(key);
  std::uint32_t* const bucket = bucket_of(fingerprint);
  std::uint32_t* const end = bucket + ways_;
  std::uint32_t* const found = std::find(bucket, end, fingerprint);
  if (found == end) return false;
  std::move(found + 1, end, found);
  end[-1] = 0;
  return true;
}

}  // namespace ashmemo::eviction
