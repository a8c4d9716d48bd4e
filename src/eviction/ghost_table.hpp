#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace ashmemo::engine {

/// Remembers which keys left not long ago, without the keys: 4 bytes each, a fixed number of them,
/// the oldest are forgotten first.
///
/// The fingerprints lie in buckets of a cache line; each bucket is a small queue of its own, so
/// "the oldest" is exact in a bucket and nearly so in the table. A fingerprint alone says where it
/// belongs: the table can be resized without the keys. A key that was never here is taken for one
/// that was about once in 4,000 times at a million fingerprints, which costs one entry a wrong
/// place and nothing else.
///
/// Cost of a call: one cache line. Memory only: another process begins without ghosts.
class GhostTable {
 public:
  /// Room for `most` keys, rounded up to whole buckets of equal size; what is remembered stays, the
  /// newest first.
  void resize(std::size_t most);
  [[nodiscard]] std::size_t capacity() const { return fingerprints_.size(); }

  void insert(std::string_view key);
  /// Forgets the key; true: it was remembered.
  bool take(std::string_view key);

 private:
  [[nodiscard]] std::uint32_t* bucket_of(std::uint32_t fingerprint);
  void insert_fingerprint(std::uint32_t fingerprint);

  std::size_t buckets_ = 0;
  std::size_t ways_ = 0;                     // of one bucket
  std::vector<std::uint32_t> fingerprints_;  // newest first in each bucket; 0: none
};

}  // namespace ashmemo::engine
