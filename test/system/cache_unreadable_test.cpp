// A cache whose device cannot read its file, for a moment or for ever.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "support/bad_device.hpp"
#include "support/cache_fixture.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kPage = 4096;

Options small_options() {
  Options options;
  options.eviction = Eviction::fifo;
  options.memory_bytes = 0;
  options.limits.max_entries = 2'000;
  options.timing.max_wait = 0s;
  return options;
}

/// A cache with 2,000 entries in its file, "k0" to "k1999". None is in memory.
struct Scene {
  Scene() : f(small_options()) {
    f.fill("k", 2'000, 200);
    f->flush();
    f.close();
  }

  /// From now on the device cannot read the file from this byte to its end.
  void fail_from(std::int64_t from) { device.fail_file(f.path, from, size()); }
  /// The same for one page of entries: the one after this part of them, of 100 parts.
  void fail_page(std::size_t part) {
    constexpr char kLeafOfTable = 13;  // the first byte of such a page
    const std::string file = read_file(f.path);
    std::vector<std::int64_t> pages;
    for (std::size_t at = kPage; at < file.size(); at += kPage) {
      if (file[at] == kLeafOfTable) pages.push_back(static_cast<std::int64_t>(at));
    }
    const std::int64_t at = pages.at(pages.size() * part / 100);
    device.fail_file(f.path, at, at + kPage);
  }
  /// After fail_page.
  std::string unreadable_key() {
    for (int i = 0; i < 2'000; ++i) {
      const std::string key = "k" + std::to_string(i);
      if (!f->contains(key)) return key;
    }
    FAIL("the device can read each entry");
    return {};
  }
  void run() {
    f.clock->advance(1min);
    (void)f->run_maintenance(1s);
  }

  BadDevice device;
  CacheFixture f;

 private:
  [[nodiscard]] std::int64_t size() const {
    return static_cast<std::int64_t>(read_file(f.path).size());
  }
};

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("an error of the device during a read is a miss, is reported and ends") {
    bool has_failed = true;
    for (std::size_t nth = 0; has_failed; ++nth) {
      INFO("read " << nth);
      Scene s;
      s.f.cache();
      s.device.fail_once(nth);
      const auto value = s.f->get<std::string>("k7");
      has_failed = s.device.fired() > 0;
      if (!value) CHECK(s.f->health().state == HealthState::degraded);
      s.device.heal();
      s.run();
      CHECK(s.f.heard.count(NoticeKind::read_failed) == (value ? 0 : 1));
      CHECK(s.f->get<std::string>("k7").has_value());
      CHECK(s.f->health().state == HealthState::ok);
      CHECK(s.f.heard.count(NoticeKind::quarantined) == 0);
    }
  }

  TEST_CASE("a file that the device cannot read is renamed once, and not at once") {
    for (const std::int64_t from : {std::int64_t{0}, kPage}) {
      INFO("from byte " << from);
      Scene s;
      s.fail_from(from);
      CHECK(s.f->health().state == HealthState::unavailable);
      CHECK_FALSE(s.f->get<std::string>("k7").has_value());
      int tenths = 0;
      for (; s.f.heard.count(NoticeKind::quarantined) == 0 && tenths < 1'000; ++tenths) {
        s.f.clock->advance(100ms);
        (void)s.f->run_maintenance(1s);
      }
      CHECK(tenths / 10 >= 25);
      CHECK(tenths / 10 <= 35);
      CHECK(s.f->health().state == HealthState::ok);
      CHECK(s.f->put("new", 1));
      s.f->flush();
      for (int i = 0; i < 10; ++i) s.run();
      CHECK(s.f->get<int>("new") == 1);
      CHECK(s.f.heard.count(NoticeKind::quarantined) == 1);
    }
  }

  TEST_CASE("a file that the device could not read for a moment is served again") {
    for (const std::int64_t from : {std::int64_t{0}, kPage}) {
      INFO("from byte " << from);
      Scene s;
      s.fail_from(from);
      CHECK(s.f->health().state == HealthState::unavailable);
      CHECK(has(s.f->health().last_error, "Input/output error"));
      s.device.heal();
      s.run();
      CHECK(s.f->health().state == HealthState::ok);
      CHECK(s.f->get<std::string>("k7").has_value());
      CHECK(s.f.heard.count(NoticeKind::quarantined) == 0);
    }
  }

  TEST_CASE("check fails if the device cannot read the file, and reports no damage") {
    constexpr std::int64_t kPageMap = kPage;  // no read of an entry needs it
    for (const std::int64_t at : {kPageMap, 20 * kPage, 60 * kPage}) {
      INFO("from byte " << at);
      Scene s;
      s.f.cache();
      s.device.fail_file(s.f.path, at, at + kPage);
      CHECK(code_thrown_by([&] { (void)s.f->check(); }) == "store_failed");
      s.device.heal();
      CHECK(s.f->check().ok);
    }
  }

  TEST_CASE("commits go on while the device cannot read what must be evicted") {
    for (const std::size_t part : {10U, 50U, 90U}) {
      INFO("part " << part);
      Scene s;
      s.f.cache();
      s.fail_page(part);
      int groups = 0;
      const auto put = [&] {
        s.f.fill("new " + std::to_string(groups++) + " ", 50, 200);
        s.run();
      };
      while (s.f->health().state == HealthState::ok && groups < 50) put();
      CHECK(s.device.fired() > 0);
      for (int i = 0; i < 2; ++i) put();
      CHECK(s.f->health().state == HealthState::degraded);
      CHECK(s.f->stats().queue_bytes == 0);
      CHECK(s.f.heard.count(NoticeKind::quarantined) == 0);
      s.device.heal();
      for (int i = 0; i < 5; ++i) s.run();
      CHECK(s.f->health().state == HealthState::ok);
      CHECK(s.f->stats().entries <= 2'000);
      CHECK(s.f->contains("new " + std::to_string(groups - 1) + " 49"));
      CHECK(s.f.heard.count(NoticeKind::quarantined) == 0);
    }
  }

  TEST_CASE("a file counts as damaged if the device never reads what must be evicted") {
    Scene s;
    s.f.cache();
    s.fail_page(50);
    int groups_beyond = 0;
    for (int i = 0; s.f.heard.count(NoticeKind::quarantined) == 0 && i < 100; ++i) {
      s.f.fill("new " + std::to_string(i) + " ", 50, 200);
      s.run();
      if (s.f->health().state == HealthState::degraded) ++groups_beyond;
    }
    CHECK(groups_beyond >= 5);  // of 50 entries: an eighth of the limit
    CHECK(has(s.f.heard.last(NoticeKind::quarantined).what, "cannot be evicted"));
  }

  TEST_CASE("a file stays if the device fails two writes that are an hour apart") {
    Scene s;
    s.f.cache();
    s.fail_page(50);
    const std::string key = s.unreadable_key();
    s.f->put(key, 1);
    for (int hour = 0; hour < 2; ++hour) {
      s.f.clock->advance(1h);
      (void)s.f->run_maintenance(1s);
    }
    CHECK(s.f->stats().queue_bytes > 0);
    s.device.heal();
    s.run();
    CHECK(s.f->stats().queue_bytes == 0);
    CHECK(s.f.heard.count(NoticeKind::quarantined) == 0);
  }

  TEST_CASE("a file counts as damaged if the device never reads what must be written") {
    using Change = void (*)(Cache&, const std::string& key);
    const Change changes[] = {
        [](Cache& cache, const std::string& key) { cache.put(key, 1); },
        [](Cache& cache, const std::string& key) { (void)cache.erase(key); },
        [](Cache& cache, const std::string&) { (void)cache.erase_prefix("k"); },
    };
    for (const Change& change : changes) {
      for (const bool recovers : {false, true}) {
        INFO("change " << (&change - changes) << ", recovers " << recovers);
        Scene s;
        s.f.cache();
        s.fail_page(50);
        const std::string key = s.unreadable_key();
        change(s.f.cache(), key);
        s.f->put("new", 1);
        const auto wait = [&](int most_tenths) {
          int tenths = 0;
          for (; s.f.heard.count(NoticeKind::quarantined) == 0 && tenths < most_tenths; ++tenths) {
            s.f.clock->advance(100ms);
            (void)s.f->run_maintenance(1s);
          }
          return tenths;
        };
        CHECK(wait(200) == 200);
        CHECK(s.f->health().state == HealthState::degraded);
        if (recovers) {
          s.device.heal();
          (void)wait(10);
          CHECK(s.f.heard.count(NoticeKind::quarantined) == 0);
        } else {
          CHECK(wait(1'000) <= 150);
          CHECK(has(s.f.heard.last(NoticeKind::quarantined).what, "cannot be stored"));
          s.run();
        }
        CHECK(s.f->health().state == HealthState::ok);
        CHECK(s.f->stats().queue_bytes == 0);
        s.f->flush();
        CHECK(s.f->get<int>("new") == 1);
      }
    }
  }
}
