// Files in which bytes have changed.

#include <doctest/doctest.h>

#include <algorithm>
#include <ashmemo/cache.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/fault_vfs.hpp"
#include "support/hostile.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

namespace {

/// Overwrites the beginnings of pages in the middle of a closed file. Opening reads none of them.
void damage(const std::string& path) {
  std::string content = read_file(path);
  const std::size_t pages = content.size() / 4'096;
  for (std::size_t page = pages * 2 / 5 * 4'096; page < pages * 3 / 5 * 4'096; page += 4'096) {
    content.replace(page, 64, std::string(64, '\xA5'));
  }
  write_file(path, content);
}

/// A read-only cache reports the failure and does not quarantine the file.
void look_at_damaged(const CacheFixture& f) {
  Options options = f.options;
  options.access = Access::read_only;
  Cache reader(f.path, options);
  CHECK(reader.health().state == HealthState::ok);
  for (const std::string& key : numbered("k", 2'000)) (void)reader.get<std::string>(key);
  CHECK(reader.health().state == HealthState::degraded);
  CHECK_FALSE(reader.check().ok);
  CHECK(f.heard.count(NoticeKind::quarantined) == 0);
}

constexpr std::size_t kPage = 4'096;
constexpr int kLarge = 40;  // number of large entries

std::size_t start_of(std::size_t page) { return (page - 1) * kPage; }
std::size_t place_in_map(std::size_t page) { return start_of(2) + (page - 3) * 5; }

std::size_t number_at(const std::string& file, std::size_t at) {
  std::size_t number = 0;
  for (const char byte : file.substr(at, 4)) {
    number = number * 256 + static_cast<unsigned char>(byte);
  }
  return number;
}

/// The use of a page, as the page map in the second page notes it.
enum class Use : char { free = 2, first_of_chain = 3, further_in_chain = 4, in_tree = 5 };

std::size_t page_of(const std::string& file, Use use, int nth = 0) {
  constexpr std::size_t kMapped = kPage / 5;
  const std::size_t last = std::min(number_at(file, 28), 2 + kMapped);
  for (std::size_t page = 3; page <= last; ++page) {
    if (file[place_in_map(page)] == static_cast<char>(use) && nth-- == 0) return page;
  }
  FAIL("no such page");
  return 0;
}

std::string large_value(int i) { return std::string(20'000, static_cast<char>('A' + i)); }

/// Makes a closed file with values in chains of overflow pages, and with free pages.
void make_file_of_chains(CacheFixture& f) {
  for (int i = 0; i < kLarge; ++i) CHECK(f->put("k" + std::to_string(i), large_value(i)));
  f.close();
  // A shell deletes the row, so that its pages remain in the file as free pages.
  CHECK(f.shell("DELETE FROM cache_entries WHERE cache_key = 'k7'") == "");
}

/// A number in the file that is overwritten.
struct Damage {
  std::string name;
  std::size_t at;
  std::size_t bytes;
  std::size_t number;
  bool is_met_by_work = true;  // false: only check() finds it
};

std::vector<Damage> damages_of(const std::string& file) {
  const std::size_t chain = page_of(file, Use::first_of_chain, 3);
  const std::size_t other = page_of(file, Use::first_of_chain, 9);
  const std::size_t further = page_of(file, Use::further_in_chain, 12);
  const std::size_t leaf = page_of(file, Use::in_tree, 2);
  const std::size_t free = page_of(file, Use::free, 1);
  const std::size_t trunk = number_at(file, 32);
  REQUIRE(trunk > 2);
  constexpr std::size_t kNowhere = 0xFFFFFF;
  return {
      {"a chain that ends early", start_of(chain), 4, 0},
      {"a chain that leaves the file", start_of(chain), 4, kNowhere},
      {"a chain to the first page", start_of(chain), 4, 1},
      {"a chain in a circle", start_of(chain), 4, chain},
      {"a chain into another", start_of(chain), 4, other},
      {"a free list in a circle", start_of(trunk), 4, trunk},
      {"a free list that leaves the file", start_of(trunk), 4, kNowhere},
      {"a free list of too many pages", start_of(trunk) + 4, 4, 5'000},
      {"a used page in the free list", start_of(trunk) + 8, 4, further, false},
      {"a free page outside of the file", start_of(trunk) + 8, 4, kNowhere},
      {"a map in which a tree's page is free", place_in_map(leaf), 1, 2},
      {"a map in which a page belongs to another", place_in_map(further) + 1, 4, leaf},
      {"a map in which a free page is a tree's", place_in_map(free), 1, 5},
      {"a map with an empty place", place_in_map(chain), 5, 0},
  };
}

/// Whether check() reports a problem.
bool is_named(CacheFixture& f) {
  bool ok = false;
  const std::string thrown = code_thrown_by([&] { ok = f->check().ok; });
  CHECK((thrown == "nothing" || thrown == "store_failed"));
  return !ok;
}

/// Each read returns the stored value or a miss.
void check_reads(CacheFixture& f) {
  for (int i = 0; i < kLarge; ++i) {
    const auto value = f->get<std::string>("k" + std::to_string(i));
    CHECK(value.value_or(large_value(i)) == large_value(i));
  }
}

/// Uses the pages of values, the free pages and the page map.
void use_all_pages(CacheFixture& f) {
  for (int round = 0; round < 4; ++round) {
    (void)f->put("new", large_value(round));
    if (round == 1) (void)f->erase_many(numbered("k", kLarge / 2));
    if (round == 2) (void)f->clear();
    (void)f.run_to_the_end();
    (void)code_thrown_by([&] { f->compact(); });
    f.clock->advance(1min);
  }
}

/// Lets each of the first reads of the file by `work` find damage, once. The file must stay in use.
void meet_damage_once(
    FaultVfs& vfs, CacheFixture& f, const std::function<void()>& work,
    const std::function<void()>& check = [] {}) {
  f.fill("k", 500, 1'000);
  f->flush();
  std::size_t failed = 0;
  for (std::size_t nth = 0; nth < 12; ++nth) {
    CAPTURE(nth);
    f.reopen();
    CHECK(f->stats().entries == 500);
    vfs.fail(Fault::corrupt, nth, false);
    work();
    failed += vfs.fired();
    vfs.heal();
    f->flush();
    CHECK(f->health().state == HealthState::ok);
    check();
  }
  CHECK(failed > 0);
  CHECK(f->stats().entries == 500);
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("check finds changed bytes and the cache continues with a new file") {
    CacheFixture f;
    f.fill("k", 2'000, 200);
    f->flush();
    f.close();
    damage(f.path);
    look_at_damaged(f);
    const CheckReport report = f->check();
    CHECK_FALSE(report.ok);
    CHECK(report.problems.size() > 1);
    for (const std::string& problem : report.problems) CHECK_FALSE(has(problem, "\\x0A"));
    // Every read returns. A value that cannot be read is a miss.
    for (const std::string& key : numbered("k", 2'000)) (void)f->get<std::string>(key);
    for (int i = 0; i < 3; ++i) (void)f->run_maintenance(1s);
    f.clock->advance(1min);
    for (int i = 0; i < 3; ++i) (void)f->run_maintenance(1s);
    CHECK(f->health().state == HealthState::ok);
    CHECK(f.heard.count(NoticeKind::quarantined) == 1);
    CHECK(f->put("new", 1));
    f->flush();
    CHECK(f->get<int>("new") == 1);
    CHECK(f->check().ok);
  }

  TEST_CASE("a file is not quarantined for damage that a second connection does not find") {
    FaultVfs vfs;
    CacheFixture f({.memory_bytes = 0});
    meet_damage_once(vfs, f, [&] { CHECK(f->get<std::string>("k250").has_value()); });
    CHECK(f.heard.notices().empty());
  }

  TEST_CASE("a file is not quarantined for damage that the worker meets only once") {
    FaultVfs vfs;
    CacheFixture f({.memory_bytes = 0});
    const std::string value(1'000, 'n');
    meet_damage_once(
        vfs, f,
        [&] {
          CHECK(f->put("k250", value));
          f->flush();
        },
        [&] { CHECK(f->get<std::string>("k250") == value); });
    CHECK(f.heard.count(NoticeKind::quarantined) == 0);
  }

  TEST_CASE("check reports damage in chains, free list and page map and the cache continues") {
    CacheFixture made;
    make_file_of_chains(made);
    const std::string whole = read_file(made.path);
    for (const Damage& damage : damages_of(whole)) {
      INFO(damage.name);
      CacheFixture f;
      write_file(f.path, whole);
      write_number(f.path, damage.at, damage.bytes, static_cast<unsigned>(damage.number));
      CHECK(is_named(f));
      check_reads(f);
      use_all_pages(f);
      CHECK(f->health().state == HealthState::ok);
      CHECK(f->put("new", "here"));
      f->flush();
      CHECK(f->get<std::string>("new") == "here");
      if (damage.is_met_by_work) CHECK_FALSE(is_named(f));
      if (!damage.is_met_by_work) f.expect_no_order();
    }
  }
}
