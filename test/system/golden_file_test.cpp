#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/ashmemo.hpp>

#include "support/cache_fixture.hpp"
#include "support/data_folder.hpp"

// The golden file was written by version 0.1.0 in format 1. Every later version must open it and
// find its entries. It is never rewritten for an existing format.

using namespace ashmemo;
using namespace std::chrono_literals;
using test::CacheFixture;

namespace {

struct Photo {
  std::int64_t id = 0;
  std::int64_t version = 1;
};

/// The calculations of the program that wrote the golden file.
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

/// A cache on a copy of the golden file.
struct GoldenFile : CacheFixture {
  GoldenFile() {
    using std::filesystem::perms;
    std::filesystem::copy_file(std::string(test::kDataFolder) + "/format-1.cache.db", path);
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

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("a file of format 1 opens and has all its entries") {
    GoldenFile fixture;
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

  TEST_CASE("expiry times in a file of format 1 hold") {
    GoldenFile fixture;
    fixture.clock->advance(1h);
    CHECK_FALSE(fixture->contains("text"));
    CHECK(fixture->entry("Photo:1:width@acme")->freshness == Freshness::stale);
    CHECK(fixture->entry("Photo:1:caption(en)@acme")->freshness == Freshness::kept);
    fixture.clock->advance(1h);
    CHECK_FALSE(fixture->entry("Photo:1:width@acme"));
  }

  // For the next format: set ASHMEMO_GOLDEN_FILE to the path to write and run this test with
  // --no-skip --test-case="*golden file is written*".
  TEST_CASE("the golden file is written" * doctest::skip()) {
    const char* const target = std::getenv("ASHMEMO_GOLDEN_FILE");
    REQUIRE(target != nullptr);
    CacheFixture fixture;
    fill(fixture.cache());
    fixture->backup(target);
  }
}
