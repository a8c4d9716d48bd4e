// Single flipped bits and zeroed sectors in a closed file. A cache that opens such a file never
// answers wrongly. Damage in values costs the entries in question and nothing else.
//
// ASHMEMO_FLIPS is the number of tries in all three tests. A million take half an hour in a build
// with optimization, with the files in memory:
//
//   TMPDIR=/dev/shm ASHMEMO_FLIPS=1000000 .build/.../system --test-case='*flipped*,*zeroed*'

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/ashmemo.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/random.hpp"
#include "support/temp_dir.hpp"
#include "support/value_bytes.hpp"

namespace fs = std::filesystem;
using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSector = 512;

std::uint64_t number_of_tries() { return number_in_environment("ASHMEMO_FLIPS", 1'000); }

struct Photo {
  std::int64_t id = 0;
  std::int64_t version = 1;
};

/// Texts of different seeds differ in every byte.
std::string text_of(std::int64_t seed, std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    text[i] = static_cast<char>('!' + (static_cast<std::size_t>(seed) + i * 7) % 90);
  }
  return text;
}

std::string caption_of(const Photo& photo) {
  return text_of(photo.id + photo.version * 30, photo.id % 3 == 0 ? 9'000 : 60);
}

std::vector<float> vector_of(const Photo& photo) {
  return std::vector<float>(photo.id % 4 == 0 ? 1'500 : 10, static_cast<float>(photo.id));
}

/// The program whose cache it is. `version` is that of its code.
struct Album {
  explicit Album(Cache& cache, std::uint32_t version = 2) : registry(cache) {
    photos.record_version(&Photo::version);
    caption = photos.calculation("caption",
                                 [version](const Photo& photo) {
                                   return version == 2 ? caption_of(photo)
                                                       : std::string("of the code before");
                                 },
                                 {.version = version});
    embedding = photos.calculation("embedding", vector_of);
    photos.cache_calculation("caption", {.ttl = 24h, .stale_if_error = 48h});
    photos.cache_calculation("embedding", {});
  }

  Registry registry;
  Resource<Photo>& photos = registry.resource<Photo>("Photo", &Photo::id);
  Calculation<Photo, std::string> caption;
  Calculation<Photo, std::vector<float>> embedding;
};

std::vector<Photo> all_photos() {
  std::vector<Photo> photos;
  for (std::int64_t id = 1; id <= 12; ++id) photos.push_back({id, 1 + id % 2});
  return photos;
}

/// A whole, closed file, and what may be read from it.
class Original {
 public:
  Original() {
    make();
    const auto root =
        fixture_.raw().integer("SELECT rootpage FROM sqlite_schema WHERE name = 'cache_entries'");
    fixture_.close();
    file = read_file(fixture_.path);
    lock = read_file(fixture_.path + "-lock");
    for (ValueBytes& value : find_values(file, static_cast<std::size_t>(root))) {
      if (value.ranges.empty()) continue;
      for (const ByteRange& range : value.ranges) {
        std::fill_n(is_of_value_.begin() + static_cast<std::ptrdiff_t>(range.at), range.size, true);
      }
      values.push_back(std::move(value));
    }
  }

  [[nodiscard]] bool is_of_value(std::size_t at) const { return is_of_value_[at]; }

  std::map<std::string, std::string> texts;  // of direct puts
  std::string file;
  std::string lock;
  std::vector<ValueBytes> values;
  const std::shared_ptr<ManualClock>& clock() const { return fixture_.clock; }

 private:
  void make() {
    {
      Album before(fixture_.cache(), 1);
      (void)before.photos.load(all_photos(), before.caption);
    }
    fixture_.reopen();
    Album album(fixture_.cache());
    (void)album.photos.load(all_photos(), album.caption, album.embedding);
    for (int i = 0; i < 30; ++i) {
      const std::string key = "text " + std::to_string(10 + i);
      texts[key] = text_of(i, i % 5 == 0 ? 12'000 : static_cast<std::size_t>(20 + i * 20));
      (void)fixture_->put(key, texts[key]);
    }
    (void)fixture_->put("expired", std::string("too old"), {.ttl = 1s});
    fixture_->flush();
    fixture_.clock->advance(2s);
    is_of_value_.assign(1 << 20, false);
  }

  CacheFixture fixture_{{.timing = {.maintenance_interval = 24h}}};
  std::vector<bool> is_of_value_;
};

/// The result of opening one changed file.
struct TrialResult {
  bool is_refused = false;  // the constructor threw: the file is not known to be ours
  bool is_quarantined = false;
  std::set<std::string> missed;  // of the direct puts
  std::int64_t damaged = 0;
};

/// One place in which changed copies of the original are opened.
class Trials {
 public:
  explicit Trials(const Original& original) : original_(original) {
    options_.memory_bytes = 0;
    options_.hooks.clock = original.clock();
    options_.hooks.worker = WorkerMode::manual;
    options_.hooks.on_error = [this](const Notice& notice) {
      if (notice.kind == NoticeKind::quarantined) result_.is_quarantined = true;
    };
  }

  TrialResult run(const std::string& content) {
    result_ = {};
    clean();
    write_file(path_, content);
    write_file(path_ + "-lock", original_.lock);
    try {
      Cache cache(path_, options_);
      use(cache);
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::not_a_cache);
      result_.is_refused = true;
    }
    return result_;
  }

 private:
  void clean() {
    if (!exists(path_)) return;
    for (const auto& entry : fs::directory_iterator(dir_.path())) fs::remove(entry.path());
  }

  // Every key, by `get` and by loads; then again when the worker has written what was computed.
  void use(Cache& cache) {
    read_all(cache);
    result_.damaged = cache.stats().damaged;
    load_all(cache);
    (void)code_thrown_by([&] { cache.flush(); });
    (void)cache.run_maintenance(0s);
    read_all(cache);
  }

  void read_all(Cache& cache) {
    for (const auto& [key, text] : original_.texts) {
      const auto found = cache.get<std::string>(key);
      if (!found) result_.missed.insert(key);
      if (found && *found != text) FAIL("a wrong answer for " << key);
    }
    if (cache.get<std::string>("expired")) FAIL("an expired entry answers");
    for (const Photo& photo : all_photos()) {
      const std::string key = "Photo:" + std::to_string(photo.id) + ":caption";
      const auto found = cache.get<std::string>(key);
      if (found && *found != caption_of(photo)) FAIL("a wrong answer for " << key);
    }
  }

  void load_all(Cache& cache) {
    Album album(cache);
    const std::vector<Photo> photos = all_photos();
    const auto [captions, vectors] = album.photos.load(photos, album.caption, album.embedding);
    for (std::size_t i = 0; i < photos.size(); ++i) {
      if (captions[i] != caption_of(photos[i])) FAIL("a wrong caption of " << photos[i].id);
      if (vectors[i] != vector_of(photos[i])) FAIL("a wrong vector of " << photos[i].id);
    }
  }

  const Original& original_;
  TempDir dir_;
  const std::string path_ = dir_.path("cache.db");
  Options options_;
  TrialResult result_;
};

void flip(std::string& content, std::size_t bit) {
  content[bit / 8] = static_cast<char>(content[bit / 8] ^ (1 << (bit % 8)));
}

/// A byte of the value.
std::size_t any_byte(const ValueBytes& value, Random& random) {
  std::size_t size = 0;
  for (const ByteRange& range : value.ranges) size += range.size;
  std::size_t nth = random.below(size);
  for (const ByteRange& range : value.ranges) {
    if (nth < range.size) return range.at + nth;
    nth -= range.size;
  }
  return 0;
}

/// Damage in values: each damaged entry is a miss, all others answer, and the file stays.
void check_damage_in_values(const Original& original, const std::set<std::string>& keys,
                            const TrialResult& result) {
  if (result.is_refused || result.is_quarantined) FAIL("the file was not kept");
  std::set<std::string> expected;
  for (const std::string& key : keys) {
    if (original.texts.contains(key)) expected.insert(key);
  }
  if (result.missed != expected) FAIL("not exactly the damaged entries are missing");
  if (result.damaged < static_cast<std::int64_t>(expected.size())) FAIL("damage was not counted");
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a flipped bit in a value costs that entry and nothing else") {
    const Original original;
    Trials trials(original);
    Random random;
    constexpr std::size_t kAtOnce = 8;  // bits, each in another entry, so they do not interfere
    for (std::uint64_t tried = 0; tried < number_of_tries() / 2; tried += kAtOnce) {
      std::string content = original.file;
      std::set<std::string> keys;
      std::string bits;
      while (keys.size() < kAtOnce) {
        const ValueBytes& value = original.values[random.below(original.values.size())];
        if (!keys.insert(value.key).second) continue;
        const std::size_t bit = any_byte(value, random) * 8 + random.below(8);
        flip(content, bit);
        bits += ' ' + std::to_string(bit);
      }
      INFO("flipped bits:" << bits);
      check_damage_in_values(original, keys, trials.run(content));
    }
  }

  TEST_CASE("a flipped bit anywhere else gives no wrong answer") {
    const Original original;
    Trials trials(original);
    Random random;
    std::vector<std::size_t> others;
    for (std::size_t at = 0; at < original.file.size(); ++at) {
      if (!original.is_of_value(at)) others.push_back(at);
    }
    int quarantined = 0;
    int refused = 0;
    for (std::uint64_t tried = 0; tried < number_of_tries() * 3 / 8; ++tried) {
      const std::size_t bit = others[random.below(others.size())] * 8 + random.below(8);
      INFO("flipped bit " << bit);
      std::string content = original.file;
      flip(content, bit);
      const TrialResult result = trials.run(content);
      quarantined += result.is_quarantined ? 1 : 0;
      refused += result.is_refused ? 1 : 0;
    }
    MESSAGE(quarantined << " files were quarantined and " << refused << " refused");
  }

  TEST_CASE("a zeroed sector gives no wrong answer, and one in a value costs that entry alone") {
    const Original original;
    Trials trials(original);
    Random random;
    for (std::uint64_t tried = 0; tried < number_of_tries() / 8; ++tried) {
      const std::size_t sector = random.below(original.file.size() / kSector) * kSector;
      INFO("zeroed sector at " << sector);
      std::string content = original.file;
      content.replace(sector, kSector, kSector, '\0');
      const TrialResult result = trials.run(content);
      for (const ValueBytes& value : original.values) {
        const bool is_in_value =
            std::any_of(value.ranges.begin(), value.ranges.end(), [&](const ByteRange& range) {
              return range.at <= sector && sector + kSector <= range.end();
            });
        if (is_in_value) check_damage_in_values(original, {value.key}, result);
      }
    }
  }
}
