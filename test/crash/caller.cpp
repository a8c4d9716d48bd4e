#include "crash/caller.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace ashmemo::test {

Caller::Caller(Shared& shared, std::uint32_t group)
    : shared_(shared),
      cache_(shared.cache),
      journal_(shared.journal),
      group_(group),
      version_(shared.load.first_version),
      random_(shared.load.seed * kGroups + group) {}

void Caller::run() {
  for (int i = 0; i < shared_.load.steps && !journal_.is_full(); ++i) step();
}

void Caller::step() {
  const std::uint32_t dice = any(1000);
  if (dice < 3) return clear();
  const std::shared_lock lock(shared_.clearing);
  if (dice < 450) return put(any_key());
  if (dice < 520) return put_many();
  if (dice < 620) return erase(any_key());
  if (dice < 640) return erase_many();
  if (dice < 646) return erase_group();
  if (dice < 730) return load_posts();
  if (dice < 765) return invalidate_one();
  if (dice < 768) return invalidate_all();
  if (dice < 788) return flush();
  if (dice < 798) return (void)cache_.run_maintenance();
  if (dice < 801) return cache_.compact();
  if (dice < 804) return change_limits();
  if (dice < 805) return back_up();
  read(any_key());
}

std::vector<std::uint32_t> Caller::some_keys() {
  std::vector<std::uint32_t> keys;
  const std::uint32_t first = any(kKeysOfGroup);
  const std::uint32_t end = std::min(kKeysOfGroup, first + 1 + any(12));
  for (std::uint32_t i = first; i < end; ++i) keys.push_back(group_ * kKeysOfGroup + i);
  return keys;
}

PutOptions Caller::options() const {
  PutOptions options;
  if (expires(version_)) options.ttl = std::chrono::milliseconds(5);
  return options;
}

void Caller::put(std::uint32_t key) {
  ++version_;
  journal_.add(Step::put_begun, key, version_);
  const bool taken = cache_.put(key_name(key), text_of(key, version_), options());
  journal_.add(taken ? Step::put_accepted : Step::put_refused, key, version_);
}

void Caller::put_many() {
  ++version_;
  const auto keys = some_keys();
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::uint32_t key : keys) {
    journal_.add(Step::put_begun, key, version_);
    pairs.emplace_back(key_name(key), text_of(key, version_));
  }
  const bool taken = cache_.put_many(pairs, options()) == pairs.size();
  for (const std::uint32_t key : keys) {
    journal_.add(taken ? Step::put_accepted : Step::put_refused, key, version_);
  }
}

void Caller::erase(std::uint32_t key) {
  journal_.add(Step::erase_begun, key);
  (void)cache_.erase(key_name(key));
  journal_.add(Step::erase_ended, key);
}

void Caller::erase_many() {
  const auto keys = some_keys();
  std::vector<std::string> names;
  for (const std::uint32_t key : keys) {
    journal_.add(Step::erase_begun, key);
    names.push_back(key_name(key));
  }
  (void)cache_.erase_many(names);
  for (const std::uint32_t key : keys) journal_.add(Step::erase_ended, key);
}

void Caller::erase_group() {
  journal_.add(Step::group_begun, group_);
  (void)cache_.erase_prefix(group_prefix(group_));
  journal_.add(Step::group_ended, group_);
}

void Caller::clear() {
  const std::unique_lock alone(shared_.clearing);
  const std::uint64_t edition = shared_.editions.begin();
  journal_.add(Step::clear_begun, 0, edition);
  (void)cache_.clear();
  journal_.add(Step::clear_ended, 0, edition);
  for (std::uint32_t post = 0; post < kPosts; ++post) shared_.editions.end(post, edition);
}

void Caller::flush() {
  journal_.add(Step::flush_begun);
  cache_.flush();
  journal_.add(Step::flush_ended);
}

void Caller::read(std::uint32_t key) {
  const auto text = cache_.get<std::string>(key_name(key));
  if (text && !version_of(key, *text)) journal_.add(Step::wrong_value, key);
}

void Caller::load_posts() {
  std::vector<Post> page;
  std::vector<std::uint64_t> oldest;
  for (std::uint32_t i = 0; i < 10; ++i) {
    page.push_back({any(kPosts)});
    oldest.push_back(shared_.editions.oldest(page.back().id));
  }
  const std::vector<std::int64_t> results = shared_.posts.edition(page);
  const std::uint64_t newest = shared_.editions.newest();
  for (std::size_t i = 0; i < page.size(); ++i) {
    const auto edition = edition_of(page[i].id, results[i]);
    if (edition && *edition >= oldest[i] && *edition <= newest) continue;
    journal_.add(Step::wrong_value, page[i].id);
  }
}

void Caller::invalidate_one() {
  const Post post{any(kPosts)};
  const std::uint64_t edition = shared_.editions.begin();
  journal_.add(Step::invalidate_begun, post.id, edition);
  if (any(2) == 0) {
    shared_.posts.edition.invalidate(post);
  } else {
    shared_.posts.resource.invalidate(post);
  }
  journal_.add(Step::invalidate_ended, post.id, edition);
  shared_.editions.end(post.id, edition);
}

void Caller::invalidate_all() {
  const std::uint64_t edition = shared_.editions.begin();
  journal_.add(Step::invalidate_all_begun, 0, edition);
  if (any(2) == 0) {
    shared_.posts.edition.invalidate_all();
  } else {
    shared_.posts.resource.invalidate_all();
  }
  journal_.add(Step::invalidate_all_ended, 0, edition);
  for (std::uint32_t post = 0; post < kPosts; ++post) shared_.editions.end(post, edition);
}

void Caller::change_limits() {
  if (!shared_.load.limits_change) return;
  cache_.set_limits({.max_entries = 20 + any(100), .max_bytes = 512 * KiB});
}

// Removes the old copy first, because backup() overwrites no file.
void Caller::back_up() {
  const std::string copy = copy_path(shared_.load.path, group_);
  std::filesystem::remove(copy);
  journal_.add(Step::backup_begun, group_);
  cache_.backup(copy);
  journal_.add(Step::backup_ended, group_);
}

}  // namespace ashmemo::test
