#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/ashmemo.hpp>

#include "support/cache_fixture.hpp"
#include "support/data_folder.hpp"

// One file for each format, written when that format was the newest one. Every later version opens
// it, answers from it, and upgrades it to the newest format. An existing golden file is never
// written again.

using namespace ashmemo;
using namespace std::chrono_literals;
using test::CacheFixture;

namespace {

struct Photo {
  std::int64_t id = 0;
  std::int64_t version = 1;
};

/// What the golden file's program had registered.
struct Album {
  explicit Album(Cache& cache) : registry(cache) {
    photos.record_version(&Photo::version);
    photos.scope([] { return "acme"; });
    photos.cache_calculation("width", {.ttl = 1h, .stale_while_revalidate = 1h});
    photos.cache_calculation("caption", {.ttl = 1h, .stale_if_error = 24h});
  }

  int computed = 0;
  Registry registry;
  Resource<Photo>& photos = registry.resource<Photo>("Photo", &Photo::id);
  Calculation<Photo, int> width = photos.calculation("width",
                                                     [this](const Photo& photo) {
                                                       ++computed;
                                                       return static_cast<int>(photo.id) * 100;
                                                     },
                                                     {.version = 3});
  Calculation<Photo, std::optional<std::string>, std::string> caption =
      photos.calculation("caption", [this](const Photo& photo, const std::string& language) {
        ++computed;
        return photo.id == 2 ? std::nullopt : std::optional(language + ": a photo");
      });
};

const std::vector<Photo> kPhotos{{1, 1}, {2, 1}, {3, 7}};
const std::vector<std::optional<std::string>> kCaptions{"en: a photo", std::nullopt, "en: a photo"};

void fill(Cache& cache) {
  Album album(cache);
  (void)album.width(kPhotos);
  (void)album.caption(kPhotos, "en");
  cache.put("integer", 42);
  cache.put("real", 0.5);
  cache.put("text", "dark", {.ttl = 1h});
  cache.put("blob", std::vector<float>{1.5F, -2.0F});
  cache.put("nothing", std::optional<int>());
  cache.put("large", std::string(10'000, 'x'));
  cache.flush();
  (void)cache.get<int>("integer");
  (void)album.width(kPhotos);
  cache.flush();
}

constexpr int kNewestFormat = 2;

/// A copy of the file of one format. Only its owner may read it.
struct GoldenFile : CacheFixture {
  explicit GoldenFile(int format) {
    using std::filesystem::perms;
    const std::string name = "/format-" + std::to_string(format) + ".cache.db";
    std::filesystem::copy_file(std::string(test::kDataFolder) + name, path);
    std::filesystem::permissions(path, perms::owner_read | perms::owner_write);
  }
};

void check_calculations(Cache& cache) {
  Album album(cache);
  CHECK(album.width(kPhotos) == std::vector<int>{100, 200, 300});
  CHECK(album.caption(kPhotos, "en") == kCaptions);
  CHECK(album.computed == 0);
  CHECK(album.width(Photo{3, 8}) == 300);  // another version of the record
  CHECK(album.computed == 1);
}

void check_calculations_again(Cache& cache) {
  Album album(cache);
  CHECK(album.width({{1, 1}, {2, 1}, {3, 8}}) == std::vector<int>{100, 200, 300});
  CHECK(album.caption(kPhotos, "en") == kCaptions);
  CHECK(album.computed == 0);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a file of each format is opened and answers as it did when it was written") {
    for (int format = 1; format <= kNewestFormat; ++format) {
      CAPTURE(format);
      GoldenFile fixture(format);
      CHECK(fixture->stats().entries == 12);
      CHECK(fixture->get<int>("integer") == 42);
      CHECK(fixture->get<double>("real") == 0.5);
      CHECK(fixture->get<std::string>("text") == "dark");
      CHECK(fixture->get<std::vector<float>>("blob") == std::vector<float>{1.5F, -2.0F});
      CHECK(fixture->get<std::optional<int>>("nothing").value_or(1) == std::nullopt);
      CHECK(fixture->get<std::string>("large") == std::string(10'000, 'x'));
      CHECK(fixture->entry("integer")->access_count == 1);
      CHECK(fixture->entry("text")->expires_at == fixture.clock->wall_now() + 3'600'000'000);
      check_calculations(fixture.cache());
      CHECK(fixture->check().ok);
      CHECK(fixture.heard.notices().empty());
    }
  }

  TEST_CASE("the deadlines in a file of each format are kept") {
    for (int format = 1; format <= kNewestFormat; ++format) {
      CAPTURE(format);
      GoldenFile fixture(format);
      fixture.clock->advance(1h);
      CHECK_FALSE(fixture->contains("text"));
      CHECK(fixture->entry("Photo:1:width@acme")->freshness == Freshness::stale);
      CHECK(fixture->entry("Photo:1:caption(en)@acme")->freshness == Freshness::kept);
      fixture.clock->advance(1h);
      CHECK_FALSE(fixture->entry("Photo:1:width@acme"));
      fixture.run_to_the_end();
      CHECK(fixture.keys("Photo:") ==
            "Photo:1:caption(en)@acme Photo:2:caption(en)@acme Photo:3:caption(en)@acme");
      CHECK(fixture.rows_in_file() == 8);
    }
  }

  TEST_CASE("a file of each format becomes a file of the newest format") {
    for (int format = 1; format <= kNewestFormat; ++format) {
      CAPTURE(format);
      GoldenFile fixture(format);
      check_calculations(fixture.cache());
      fixture.close();
      CHECK(fixture.shell("PRAGMA user_version") == std::to_string(kNewestFormat) + "\n");
      CHECK(fixture.shell("SELECT name, result_type FROM cache_calculations ORDER BY name") ==
            "caption|optional text of (text;)\nwidth|integer\n");
      // A second opening has nothing more to do, and everything is still there.
      const std::string version = fixture.shell("PRAGMA schema_version");
      check_calculations_again(fixture.cache());
      fixture.close();
      CHECK(fixture.shell("PRAGMA schema_version") == version);
    }
  }

  // For the next format: --no-skip --test-case="*golden file is written*", with the path to write.
  TEST_CASE("the golden file is written" * doctest::skip()) {
    const char* const target = std::getenv("ASHMEMO_GOLDEN_FILE");
    REQUIRE(target != nullptr);
    CacheFixture fixture;
    fill(fixture.cache());
    fixture->backup(target);
  }
}
