#include "faults/trial.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <utility>

namespace ashmemo::test {
namespace {

namespace fs = std::filesystem;

constexpr int kLongTexts = 5;
constexpr int kTexts = 30;
constexpr int kDue = 6;
constexpr int kKnownDocuments = 8;

std::vector<std::string> keys_of_template() {
  std::vector<std::string> keys = numbered("old", kTexts);
  for (const std::string& key : numbered("long", kLongTexts)) keys.push_back(key);
  for (const std::string& key : numbered("due", kDue)) keys.push_back(key);
  return keys;
}

PutOptions options_of_template(const std::string& key) {
  return key.starts_with("due") ? PutOptions{.ttl = std::chrono::hours(1)} : PutOptions{};
}

/// The files that every trial begins with. They are created once, without faults.
class Templates {
 public:
  Templates() {
    fs::create_directory(dir_.path("closed"));
    fs::create_directory(dir_.path("crashed"));
    Trial trial(File::none, {});
    for (const std::string& key : keys_of_template()) {
      REQUIRE(trial.put(key, options_of_template(key)));
    }
    auto page = documents();
    page.resize(kKnownDocuments);
    trial.load(page);
    trial.cache().flush();
    copy(trial.dir.path(), dir_.path("crashed"));
    trial.close();
    copy(trial.dir.path(), dir_.path("closed"));
  }

  void give(File file, const std::string& directory) const {
    copy(dir_.path(file == File::crashed ? "crashed" : "closed"), directory);
    if (file != File::damaged) return;
    std::string content = read_file(directory + "/cache.db");
    write_file(directory + "/cache.db", content.replace(0, 16, 16, 'x'));
    write_file(directory + "/cache.db.corrupt-1", "old");
  }

 private:
  static void copy(const std::string& from, const std::string& to) {
    fs::copy(from, to);
    fs::permissions(to, fs::perms::owner_all);
  }

  TempDir dir_;
};

void give_template(File file, const std::string& directory) {
  if (file == File::none) return;
  static const Templates templates;
  templates.give(file, directory);
}

}  // namespace

Trial::Trial(File file, Options given) : options(std::move(given)) {
  give_template(file, dir.path());
  if (file != File::none) {
    for (const std::string& key : keys_of_template()) {
      stored(key, next_value(key), true, options_of_template(key)).in_file = true;
    }
  }
  options.hooks.clock = clock;
  options.hooks.executor = executor;
  options.hooks.worker = WorkerMode::manual;
  options.hooks.on_error = [this](const Notice& notice) { heard.add(notice); };
}

Trial::~Trial() { close(); }

void Trial::use_threads() {
  options.hooks.executor = nullptr;
  options.hooks.worker = WorkerMode::thread;
}

Cache& Trial::cache() {
  if (!cache_) cache_ = std::make_unique<Cache>(path, options);
  return *cache_;
}

void Trial::close() {
  if (cache_) {
    cache_->close();
    lost_writes_ = lost_writes();
    lost_accepted_writes_ = lost_accepted_writes();
  }
  drafts_.close();
  resource_ = nullptr;
  registry_.reset();
  cache_.reset();
  not_accepted_ = 0;
  notices_before_ = heard.notices().size();
}

bool Trial::file_holds(const std::string& bytes) const { return has(read_file(path), bytes); }

// ------------------------------------------------------------------------------------------------
// calls

void Trial::get(const std::string& key) { expect_correct(key, cache().get<std::string>(key)); }

void Trial::get_many(const std::vector<std::string>& keys) {
  const auto answers = cache().get_many<std::string>(keys);
  REQUIRE(answers.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) expect_correct(keys[i], answers[i]);
}

void Trial::check_entry(const std::string& key) {
  INFO("key " << key);
  const std::optional<EntryInfo> entry = cache().entry(key);
  if (entry || cache().contains(key)) CHECK(may_be_there(key));
  if (entry) CHECK(entry->key == key);
  if (!entry) expect_missing(key);
}

bool Trial::put(const std::string& key, PutOptions put_options) {
  const std::string value = next_value(key);
  const bool accepted = cache().put(key, value, put_options);
  if (nothing_fails) CHECK(accepted);
  if (!accepted) ++not_accepted_;
  stored(key, value, accepted, put_options);
  return accepted;
}

void Trial::put_many(const std::vector<std::string>& keys, PutOptions put_options) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& key : keys) pairs.emplace_back(key, next_value(key));
  const std::size_t accepted = cache().put_many(pairs, put_options);
  CHECK(accepted <= pairs.size());
  const bool all_accepted = accepted == pairs.size();
  if (nothing_fails) CHECK(all_accepted);
  not_accepted_ += static_cast<std::int64_t>(pairs.size() - accepted);
  for (const auto& [key, value] : pairs) stored(key, value, all_accepted, put_options);
}

void Trial::get_or_compute(const std::string& key) {
  std::optional<std::string> computed;
  const std::string answer =
      cache().get_or_compute(key, [&] { return computed.emplace(next_value(key)); });
  if (computed) stored(key, *computed, nothing_fails);
  expect_correct(key, answer);
}

void Trial::get_or_compute_many(const std::vector<std::string>& keys) {
  std::map<std::string, std::string> computed;
  const auto answers = cache().get_or_compute_many<std::string>(
      keys, [&](std::span<const std::string_view> missing) {
        std::vector<std::string> values;
        for (const std::string_view key : missing) {
          values.push_back(computed[std::string(key)] = next_value(std::string(key)));
        }
        return values;
      });
  REQUIRE(answers.size() == keys.size());
  for (const auto& [key, value] : computed) stored(key, value, nothing_fails);
  for (std::size_t i = 0; i < keys.size(); ++i) expect_correct(keys[i], answers[i]);
}

void Trial::erase(const std::string& key) {
  (void)cache().erase(key);
  removed(known_[key]);
}

void Trial::erase_many(const std::vector<std::string>& keys) {
  CHECK(cache().erase_many(keys) <= keys.size());
  for (const std::string& key : keys) removed(known_[key]);
}

void Trial::erase_prefix(const std::string& prefix) {
  (void)cache().erase_prefix(prefix);
  removed_prefix(prefix);
}

void Trial::clear() {
  (void)cache().clear();
  removed_prefix("");
}

void Trial::for_each() {
  std::set<std::string> seen;
  cache().for_each("", [&](const EntryInfo& entry) {
    CHECK_MESSAGE(seen.insert(entry.key).second, "for_each visited twice: " << entry.key);
  });
  expect_all_in(seen);
}

void Trial::for_each_value() {
  std::set<std::string> seen;
  cache().for_each("", [&](const EntryInfo& entry, ValueView value) {
    seen.insert(entry.key);
    if (known_.contains(entry.key)) expect_correct(entry.key, Codec<std::string>::decode(value));
  });
  expect_all_in(seen);
}

bool Trial::flush() {
  const bool done = administer([this] { cache().flush(); });
  if (done) flushed();
  return done;
}

bool Trial::administer(const std::function<void()>& call) {
  try {
    call();
    return true;
  } catch (const Error& error) {
    CHECK_MESSAGE(!nothing_fails, std::string(error.what()));
    const ErrorCode code = error.code();
    const bool named = code == ErrorCode::store_failed || code == ErrorCode::unavailable ||
                       code == ErrorCode::damaged;
    CHECK_MESSAGE(named, "an Error that the documentation does not list: " << error.what());
    CHECK_MESSAGE(has(error.what(), dir.path()), std::string(error.what()));
    return false;
  }
}

}  // namespace ashmemo::test
