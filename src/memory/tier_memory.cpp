#include "memory/tier_memory.hpp"

#include <algorithm>

#include "memory/tier_entry.hpp"

namespace ashmemo::engine {

namespace {

// Of all bytes. An entry of four words, a small key and a number takes about as much as these leave
// for it.
constexpr std::size_t kBytesForAPlace = 64;
constexpr std::size_t kBytesForAGhost = 256;

// Of the words, in percent: as in the paper.
constexpr std::size_t kProbation = 10;
// Reads on probation that make an entry stay.
constexpr unsigned kReadsToStay = 1;
// Entries that go round once more for one that comes in: more would make somebody wait.
constexpr std::size_t kMaxCarried = 4;

// For the room that inserting needs beside the words; each of three runs of words may keep this
// share of them between two insertions.
constexpr std::size_t kWorkingShare = 16;
constexpr std::size_t kKeptShare = 64;

std::size_t words_of(std::size_t bytes) {
  const std::size_t others = bytes / kBytesForAPlace * sizeof(std::uint64_t) +
                             bytes / kBytesForAGhost * sizeof(std::uint32_t) +
                             bytes / kWorkingShare;
  return (bytes - others) / sizeof(std::uint64_t);
}

std::string_view as_key(const std::uint64_t& hash) {
  return {reinterpret_cast<const char*>(&hash), sizeof(hash)};
}

}  // namespace

TierMemory::TierMemory(std::size_t bytes)
    : words_(words_of(bytes)),
      index_(bytes / kBytesForAPlace),
      probation_(words_, 0, words_.size() / 100 * kProbation),
      main_(words_, probation_.size(), words_.size()) {
  ghosts_.resize(bytes / kBytesForAGhost);
  carried_.reserve(kMaxCarried);
}

// Any number that is read may be of an entry that is just being written: nothing is read beyond the
// words.
std::span<std::uint64_t> TierMemory::copy_of(std::size_t position, std::uint64_t hash,
                                             TierCopy& copy) const noexcept {
  if (position + tier_entry::kMinWords > words_.size() || hash_at(position) != hash) return {};
  const std::size_t count = tier_entry::words_in(words_.load(position));
  const bool is_possible = count >= tier_entry::kMinWords && admits(count);
  if (!is_possible || count > words_.size() - position) return {};
  const std::span<std::uint64_t> words = copy.room(count);
  words_.load(position, words);
  return words;
}

bool TierMemory::find(std::string_view key, std::uint64_t hash, TierCopy& copy,
                      store::RowView& row) noexcept {
  return index_.look(hash, [&](std::size_t position) {
    const std::span<std::uint64_t> words = copy_of(position, hash, copy);
    return !words.empty() && tier_entry::read(words, key, row);
  });
}

// By the hash alone: keys that share one are so rare that they may share a place, and no copy of an
// entry is needed, for which there may be no memory.
std::optional<std::size_t> TierMemory::locate(std::uint64_t hash) noexcept {
  std::optional<std::size_t> found;
  index_.look(hash, [&](std::size_t position) {
    if (hash_at(position) == hash) found = position;
    return found.has_value();
  });
  return found;
}

void TierMemory::insert(std::string_view key, std::uint64_t hash, const store::RowView& row) {
  if (locate(hash)) return;
  encoded_.resize(tier_entry::words_for(key, row));
  tier_entry::write(encoded_, key, hash, row);
  while (index_.is_full()) evict_one();
  index_.make_wal_space();
  if (was_evicted_lately(hash)) return insert_into_main(hash, encoded_);
  std::optional<std::size_t> at = probation_.take(encoded_.size());
  for (; !at; at = probation_.take(encoded_.size())) evict_from_probation();
  write(*at, hash, encoded_, 0);
}

void TierMemory::shrink() noexcept {
  for (auto* const words : {&encoded_, &moving_, &carried_words_}) {
    if (words->capacity() > words_.size() / kKeptShare) std::vector<std::uint64_t>().swap(*words);
  }
}

bool TierMemory::was_evicted_lately(std::uint64_t hash) { return ghosts_.take(as_key(hash)); }

void TierMemory::write(std::size_t at, std::uint64_t hash, std::span<const std::uint64_t> words,
                       unsigned reads) noexcept {
  words_.store(at, words);
  index_.insert(hash, at, reads);
}

void TierMemory::evict_one() {
  if (!probation_.empty()) return evict_from_probation();
  const std::size_t oldest = main_.oldest();
  if (!is_dead(oldest)) index_.remove(hash_at(oldest), oldest);
  main_.drop_oldest();
}

void TierMemory::evict_from_probation() {
  const std::size_t oldest = probation_.oldest();
  if (is_dead(oldest)) return probation_.drop_oldest();
  moving_.resize(tier_entry::words_in(words_.load(oldest)));  // first: it may fail
  words_.load(oldest, moving_);
  const std::uint64_t hash = hash_at(oldest);
  // Until all is in use nobody has to go.
  const bool has_wal_space = !index_.is_full() && main_.has_wal_space(moving_.size());
  const unsigned reads = index_.remove(hash, oldest);
  probation_.drop_oldest();
  if (reads >= kReadsToStay || has_wal_space) return insert_into_main(hash, moving_);
  ghosts_.insert(as_key(hash));
}

void TierMemory::insert_into_main(std::uint64_t hash, std::span<const std::uint64_t> words) {
  write(make_room_in_main(words.size()), hash, words, 0);
}

/// Those of the oldest that were read are carried round and put before the new one.
std::size_t TierMemory::make_room_in_main(std::size_t words) {
  carried_.clear();
  carried_words_.clear();
  std::optional<std::size_t> at = main_.take(words);
  while (!at) {
    const std::size_t oldest = main_.oldest();
    if (!is_dead(oldest)) carry_oldest_of_main(hash_at(oldest));
    main_.drop_oldest();
    at = main_.take(carried_words_.size() + words);
  }
  return put_back_carried(*at);
}

void TierMemory::carry_oldest_of_main(std::uint64_t hash) {
  const std::size_t oldest = main_.oldest();
  const std::size_t count = tier_entry::words_in(words_.load(oldest));
  const std::size_t before = carried_words_.size();
  carried_words_.reserve(before + count);  // first: it may fail
  const unsigned reads = index_.remove(hash, oldest);
  if (reads == 0 || carried_.size() == kMaxCarried) return;
  carried_words_.resize(before + count);
  words_.load(oldest, std::span(carried_words_).subspan(before));
  carried_.push_back({hash, count, reads - 1});
}

std::size_t TierMemory::put_back_carried(std::size_t at) {
  std::span<const std::uint64_t> left(carried_words_);
  for (const Carried& one : carried_) {
    write(at, one.hash, left.first(one.words), one.reads);
    left = left.subspan(one.words);
    at += one.words;
  }
  return at;
}

void TierMemory::remove(std::uint64_t hash) noexcept {
  const std::optional<std::size_t> position = locate(hash);
  if (!position) return;
  index_.remove(hash, *position);
  words_.store(*position, tier_entry::as_dead(words_.load(*position)));
}

void TierMemory::clear() noexcept {
  index_.clear();
  probation_.clear();
  main_.clear();
}

std::uint64_t TierMemory::hash_at(std::size_t position) const noexcept {
  return words_.load(position + tier_entry::kHashWord);
}

bool TierMemory::is_dead(std::size_t position) const noexcept {
  return tier_entry::is_dead(words_.load(position));
}

MemoryTier::Usage TierMemory::usage() const noexcept {
  const std::size_t words = probation_.used() + main_.used() + index_.places() +
                            encoded_.capacity() + moving_.capacity() + carried_words_.capacity();
  const std::size_t ghosts = ghosts_.capacity() * sizeof(std::uint32_t);
  return {static_cast<std::int64_t>(index_.used()),
          static_cast<std::int64_t>(words * sizeof(std::uint64_t) + ghosts)};
}

}  // namespace ashmemo::engine
