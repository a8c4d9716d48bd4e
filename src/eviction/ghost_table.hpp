#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ashmemo::eviction {

/// Remembers the keys that were evicted recently, in 4 bytes each. It has a fixed capacity and
/// forgets the oldest key first.
///
/// It stores fingerprints, in buckets of one cache line. Each bucket is a small queue, so "oldest"
/// is exact within a bucket and nearly exact in the table. A fingerprint alone determines its
/// bucket, so the table can be resized without the keys. With a million fingerprints, about one in
/// 4,000 unknown keys is taken for a known one. That costs one entry a wrong queue and nothing
/// else.
///
/// Cost of a call: one cache line. The table is in memory only; a new process begins with none.
class GhostTable {
 public:
  /// Sets the capacity, rounded up to whole buckets of equal size. The newest keys stay.
  void resize(std::size_t keys);
  [[nodiscard]] std::size_t capacity() const { return fingerprints_.size(); }

  void insert(std::string_view key);
  /// Removes the key; returns whether the table had it.
  bool take(std::string_view key);

 private:
  [[nodiscard]] std::uint32_t* bucket_of(std::uint32_t fingerprint);
  void insert_fingerprint(std::uint32_t fingerprint);

  std::size_t buckets_ = 0;
  std::size_t ways_ = 0;                     // in one bucket
  std::vector<std::uint32_t> fingerprints_;  // newest first in each bucket; 0: none
};

}  // namespace ashmemo::eviction
