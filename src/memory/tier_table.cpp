#include "memory/tier_table.hpp"

#include <algorithm>
#include <vector>

#include "memory/tier_entry.hpp"

namespace ashmemo::memory {

void TierIndex::grow() {
  const std::size_t before = count();
  if (used_ < before / 2 || before == places_.size()) return;
  std::vector<std::uint64_t> words;
  words.reserve(used_);
  for (std::size_t at = 0; at < before; ++at) {
    if (const std::uint64_t word = places_.load(at); word != 0) words.push_back(word);
    places_.store(at, 0);
  }
  count_.store(std::min(2 * before, places_.size()), std::memory_order_release);
  for (const std::uint64_t word : words) place(word);
}

void TierIndex::insert(std::uint64_t hash, std::size_t position, unsigned reads) noexcept {
  place(tag_of(hash) << kTagShift | std::uint64_t{reads} << kReadsShift |
        static_cast<std::uint64_t>(position + 1));
  ++used_;
}

void TierIndex::place(std::uint64_t word) noexcept {
  const std::size_t count = this->count();
  std::size_t at = home_of(tag_in(word), count);
  while (places_.load(at) != 0) at = after(at, count);
  places_.store(at, word);
}

unsigned TierIndex::remove(std::uint64_t hash, std::size_t position) noexcept {
  const std::size_t count = this->count();
  std::size_t at = home_of(tag_of(hash), count);
  while (position_in(places_.load(at)) != position) at = after(at, count);
  const unsigned reads = reads_in(places_.load(at));
  close_gap(at);
  --used_;
  return reads;
}

// Moves up each entry that linear probing pushed behind the removed one, so no tombstone is needed.
void TierIndex::close_gap(std::size_t gap) noexcept {
  const std::size_t count = this->count();
  const auto distance = [count](std::size_t from, std::size_t to) {
    return to >= from ? to - from : to + count - from;
  };
  for (std::size_t at = after(gap, count);; at = after(at, count)) {
    const std::uint64_t word = places_.load(at);
    if (word == 0) break;
    const std::size_t home = home_of(tag_in(word), count);
    if (distance(home, at) < distance(gap, at)) continue;  // its home is after the gap
    places_.store(gap, word);
    gap = at;
  }
  places_.store(gap, 0);
}

void TierIndex::clear() noexcept {
  if (used_ == 0) return;
  for (std::size_t at = 0; at < count(); ++at) places_.store(at, 0);
  used_ = 0;
}

std::optional<std::size_t> TierRing::take(std::size_t count) noexcept {
  if (!has_space(count)) return std::nullopt;
  if (space_ahead() < count) {
    // Too few words remain before the end. A first word of 0 marks them as padding.
    if (head_ != end_) words_.store(head_, 0);
    used_ += end_ - head_;
    head_ = begin_;
  }
  const std::size_t at = head_;
  head_ += count;
  used_ += count;
  return at;
}

void TierRing::drop_oldest() noexcept {
  const std::size_t count = tier_entry::words_in(words_.load(tail_));
  tail_ += count;
  used_ -= count;
  skip_padding();
  if (used_ == 0) clear();
}

void TierRing::skip_padding() noexcept {
  if (used_ == 0) return;
  if (tail_ != end_ && words_.load(tail_) != 0) return;
  used_ -= end_ - tail_;
  tail_ = begin_;
}

void TierRing::clear() noexcept {
  head_ = tail_ = begin_;
  used_ = 0;
}

namespace {

// A table has one index place for each kBytesForAPlace bytes and one ghost for each kBytesForAGhost
// bytes. These numbers suit small entries: four words, a short key and a number.
constexpr std::size_t kBytesForAPlace = 64;
constexpr std::size_t kBytesForAGhost = 256;

// The probation ring's share of the words, in percent, as in the paper.
constexpr std::size_t kProbation = 10;
// An entry that was read this often on probation goes to the main ring.
constexpr unsigned kReadsToStay = 1;
// Entries that may stay for another round during one insertion. More would make the caller wait.
constexpr std::size_t kMaxCarried = 4;

// One of kWorkingShare bytes is reserved for the working memory of insertions. Each of its three
// buffers may keep one of kKeptShare words between two insertions.
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

TierTable::TierTable(std::size_t bytes)
    : words_(words_of(bytes)),
      index_(bytes / kBytesForAPlace),
      probation_(words_, 0, words_.size() / 100 * kProbation),
      main_(words_, probation_.size(), words_.size()) {
  ghosts_.resize(bytes / kBytesForAGhost);
  carried_.reserve(kMaxCarried);
}

// Another thread may be writing the entry, so any number read here may be wrong: check each one
// before it is used as a size.
std::span<std::uint64_t> TierTable::copy_of(std::size_t position, std::uint64_t hash,
                                            TierCopy& copy) const noexcept {
  if (position + tier_entry::kMinWords > words_.size() || hash_at(position) != hash) return {};
  const std::size_t count = tier_entry::words_in(words_.load(position));
  const bool is_possible = count >= tier_entry::kMinWords && admits(count);
  if (!is_possible || count > words_.size() - position) return {};
  const std::span<std::uint64_t> words = copy.reserve(count);
  words_.load(position, words);
  return words;
}

bool TierTable::find(std::string_view key, std::uint64_t hash, TierCopy& copy,
                     store::EntryView& row) noexcept {
  return index_.look(hash, [&](std::size_t position) {
    const std::span<std::uint64_t> words = copy_of(position, hash, copy);
    return !words.empty() && tier_entry::read(words, key, row);
  });
}

// Compares hashes only. Keys with equal hashes are so rare that they may share a place, and this
// needs no copy of the entry, so it cannot run out of memory.
std::optional<std::size_t> TierTable::locate(std::uint64_t hash) noexcept {
  std::optional<std::size_t> found;
  index_.look(hash, [&](std::size_t position) {
    if (hash_at(position) == hash) found = position;
    return found.has_value();
  });
  return found;
}

void TierTable::insert(std::string_view key, std::uint64_t hash, const store::EntryView& row) {
  if (locate(hash)) return;
  encoded_.resize(tier_entry::words_for(key, row));
  tier_entry::write(encoded_, key, hash, row);
  while (index_.is_full()) evict_one();
  index_.grow();
  if (was_evicted_recently(hash)) return insert_into_main(hash, encoded_);
  std::optional<std::size_t> at = probation_.take(encoded_.size());
  for (; !at; at = probation_.take(encoded_.size())) evict_from_probation();
  write(*at, hash, encoded_, 0);
}

void TierTable::shrink() noexcept {
  for (auto* const words : {&encoded_, &moving_, &carried_words_}) {
    if (words->capacity() > words_.size() / kKeptShare) std::vector<std::uint64_t>().swap(*words);
  }
}

bool TierTable::was_evicted_recently(std::uint64_t hash) { return ghosts_.take(as_key(hash)); }

void TierTable::write(std::size_t at, std::uint64_t hash, std::span<const std::uint64_t> words,
                      unsigned reads) noexcept {
  words_.store(at, words);
  index_.insert(hash, at, reads);
}

void TierTable::evict_one() {
  if (!probation_.empty()) return evict_from_probation();
  const std::size_t oldest = main_.oldest();
  if (!is_dead(oldest)) index_.remove(hash_at(oldest), oldest);
  main_.drop_oldest();
}

void TierTable::evict_from_probation() {
  const std::size_t oldest = probation_.oldest();
  if (is_dead(oldest)) return probation_.drop_oldest();
  moving_.resize(tier_entry::words_in(words_.load(oldest)));  // first, because it may throw
  words_.load(oldest, moving_);
  const std::uint64_t hash = hash_at(oldest);
  // While there is unused space no entry needs to be evicted.
  const bool has_space = !index_.is_full() && main_.has_space(moving_.size());
  const unsigned reads = index_.remove(hash, oldest);
  probation_.drop_oldest();
  if (reads >= kReadsToStay || has_space) return insert_into_main(hash, moving_);
  ghosts_.insert(as_key(hash));
}

void TierTable::insert_into_main(std::uint64_t hash, std::span<const std::uint64_t> words) {
  write(make_space_in_main(words.size()), hash, words, 0);
}

/// Drops the oldest entries until there is space for `words`, and returns its position. Entries
/// that were read stay for another round: they are written again before that position.
std::size_t TierTable::make_space_in_main(std::size_t words) {
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

void TierTable::carry_oldest_of_main(std::uint64_t hash) {
  const std::size_t oldest = main_.oldest();
  const std::size_t count = tier_entry::words_in(words_.load(oldest));
  const std::size_t before = carried_words_.size();
  carried_words_.reserve(before + count);  // first, because it may throw
  const unsigned reads = index_.remove(hash, oldest);
  if (reads == 0 || carried_.size() == kMaxCarried) return;
  carried_words_.resize(before + count);
  words_.load(oldest, std::span(carried_words_).subspan(before));
  carried_.push_back({hash, count, reads - 1});
}

std::size_t TierTable::put_back_carried(std::size_t at) {
  std::span<const std::uint64_t> left(carried_words_);
  for (const Carried& one : carried_) {
    write(at, one.hash, left.first(one.words), one.reads);
    left = left.subspan(one.words);
    at += one.words;
  }
  return at;
}

void TierTable::remove(std::uint64_t hash) noexcept {
  const std::optional<std::size_t> position = locate(hash);
  if (!position) return;
  index_.remove(hash, *position);
  words_.store(*position, tier_entry::as_dead(words_.load(*position)));
}

void TierTable::clear() noexcept {
  index_.clear();
  probation_.clear();
  main_.clear();
}

std::uint64_t TierTable::hash_at(std::size_t position) const noexcept {
  return words_.load(position + tier_entry::kHashWord);
}

bool TierTable::is_dead(std::size_t position) const noexcept {
  return tier_entry::is_dead(words_.load(position));
}

TierUsage TierTable::usage() const noexcept {
  const std::size_t words = probation_.used() + main_.used() + index_.places() +
                            encoded_.capacity() + moving_.capacity() + carried_words_.capacity();
  const std::size_t ghosts = ghosts_.capacity() * sizeof(std::uint32_t);
  return {static_cast<std::int64_t>(index_.used()),
          static_cast<std::int64_t>(words * sizeof(std::uint64_t) + ghosts)};
}

}  // namespace ashmemo::memory
