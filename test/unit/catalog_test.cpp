#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/error.hpp>

#include "engine/catalog.hpp"

using namespace ashmemo;
using engine::Catalog;
using store::CalculationRow;
using Rows = std::vector<CalculationRow>;

namespace {

CalculationRow row(std::int64_t id, const std::string& name, std::int64_t version,
                   bool retired = false) {
  CalculationRow row;
  row.id = id;
  row.resource = "Post";
  row.name = name;
  row.version = version;
  row.policy = "ttl 1h";
  row.retired = retired;
  return row;
}

std::vector<std::int64_t> ids_of(const Rows& rows) {
  std::vector<std::int64_t> ids;
  for (const CalculationRow& row : rows) ids.push_back(row.id);
  std::sort(ids.begin(), ids.end());
  return ids;
}

using Ids = std::vector<std::int64_t>;

const CalculationRow& with_id(const Rows& rows, std::int64_t id) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [id](const auto& r) { return r.id == id; });
  REQUIRE(found != rows.end());
  return *found;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a calculation that the file does not know gets an id and a row") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    CHECK(words->id == 1);
    const Rows undelivered = catalog.take_undelivered();
    REQUIRE(undelivered.size() == 1);
    CHECK(undelivered[0].id == 1);
    CHECK(undelivered[0].resource == "Post");
    CHECK(undelivered[0].name == "words");
    CHECK(undelivered[0].version == 1);
    CHECK_FALSE(undelivered[0].retired);
    CHECK(catalog.is_current(1));
  }

  TEST_CASE("a calculation that the file knows keeps its id and needs no row") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 3)}).empty());
    const auto words = catalog.add("Post", "words", 3, "ttl 1h");
    CHECK(words->id == 7);
    const Rows undelivered = catalog.take_undelivered();
    CHECK(undelivered.empty());
    CHECK_FALSE(catalog.has_retired());
  }

  TEST_CASE("another policy is told to the file, under the same id") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 3)}).empty());
    const auto words = catalog.add("Post", "words", 3, "ttl 2h");
    CHECK(words->id == 7);
    const Rows undelivered = catalog.take_undelivered();
    REQUIRE(undelivered.size() == 1);
    CHECK(undelivered[0].policy == "ttl 2h");
  }

  TEST_CASE("another version, newer or older, gets a new id and retires the old one") {
    for (const std::int64_t version : {4, 2}) {
      Catalog catalog;
      CHECK(catalog.load({row(7, "words", 3)}).empty());
      const auto words = catalog.add("Post", "words", version, "ttl 1h");
      CHECK(words->id == 8);
      const Rows undelivered = catalog.take_undelivered();
      CHECK(ids_of(undelivered) == Ids{7, 8});
      CHECK(with_id(undelivered, 7).retired);
      CHECK_FALSE(with_id(undelivered, 8).retired);
      CHECK_FALSE(catalog.is_current(7));
      CHECK(catalog.is_current(8));
      CHECK(ids_of(catalog.retired()) == Ids{7});
    }
  }

  TEST_CASE("the same registered twice is the same; with two versions it is misuse") {
    Catalog catalog;
    const auto first = catalog.add("Post", "words", 1, "");
    CHECK(catalog.add("Post", "words", 1, "") == first);
    CHECK_THROWS_AS(static_cast<void>(catalog.add("Post", "words", 2, "")), Error);
    CHECK(catalog.calculations().size() == 1);
  }

  TEST_CASE("calculations of one name in two resources are two") {
    Catalog catalog;
    const auto a = catalog.add("Post", "words", 1, "");
    const auto b = catalog.add("Page", "words", 1, "");
    CHECK(a->id != b->id);
    CHECK(catalog.calculations().size() == 2);
  }

  TEST_CASE("renewing hides all results at once and keeps the counters") {
    Catalog catalog;
    CalculationRow known = row(7, "words", 3);
    known.hits = 40;
    CHECK(catalog.load({known}).empty());
    const auto words = catalog.add("Post", "words", 3, "ttl 1h");
    catalog.renew(words);
    CHECK(words->id == 8);
    CHECK_FALSE(catalog.is_current(7));
    const Rows undelivered = catalog.take_undelivered();
    CHECK(ids_of(undelivered) == Ids{7, 8});
    CHECK(with_id(undelivered, 8).hits == 40);
    CHECK(with_id(undelivered, 7).hits == 0);  // or they would stand in the file twice
  }

  TEST_CASE("what a retired calculation of the file has counted goes on in another row") {
    Catalog catalog;
    CalculationRow old = row(7, "words", 3, true);
    old.hits = 40;
    old.saved_us = 500;
    CHECK(catalog.load({old, row(8, "words", 4)}).empty());
    REQUIRE(catalog.retired().size() == 1);
    CHECK(catalog.retired()[0].hits == 0);
    CHECK(catalog.retired()[0].saved_us == 0);
  }

  TEST_CASE("what was put directly is always current, an unknown id never") {
    Catalog catalog;
    CHECK(catalog.is_current(0));
    CHECK_FALSE(catalog.is_current(5));
    CHECK(catalog.load({row(5, "words", 1), row(6, "old", 1, true)}).empty());
    CHECK(catalog.is_current(5));  // of a program that has not registered it yet
    CHECK_FALSE(catalog.is_current(6));
    CHECK(ids_of(catalog.retired()) == Ids{6});
    const Ids six{6};
    catalog.forget(six);
    CHECK_FALSE(catalog.has_retired());
    CHECK_FALSE(catalog.is_current(6));
  }

  TEST_CASE("a retired id of the file is not given out again") {
    Catalog catalog;
    CHECK(catalog.load({row(9, "old", 1, true)}).empty());
    CHECK(catalog.add("Post", "words", 1, "")->id == 10);
  }

  TEST_CASE("an id at the end of the numbers does not stop the counting") {
    Catalog catalog;
    CHECK(catalog.load({row(std::numeric_limits<std::int64_t>::max(), "foreign", 1)}).empty());
    CHECK(catalog.add("Post", "words", 1, "")->id == 1);
    CHECK(catalog.add("Post", "chars", 1, "")->id == 2);
  }

  TEST_CASE("counters are taken once, for those that counted something") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    static_cast<void>(catalog.add("Post", "chars", 1, ""));
    CHECK(catalog.take_counters().empty());
    words->unwritten.hits.add(3);
    words->unwritten.saved_us.add(500);
    const Rows taken = catalog.take_counters();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].id == words->id);
    CHECK(taken[0].hits == 3);
    CHECK(taken[0].saved_us == 500);
    CHECK(catalog.take_counters().empty());
    catalog.renew(words);
    CHECK(with_id(catalog.take_undelivered(), 3).hits == 3);
  }

  TEST_CASE("saved time that was counted after its hits is not lost") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    words->unwritten.saved_us.add(500);
    const Rows taken = catalog.take_counters();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].saved_us == 500);
  }

  TEST_CASE("counters that could not be written are taken again, with what came meanwhile") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    words->unwritten.hits.add(3);
    words->unwritten.failed.add(1);
    const Rows failed = catalog.take_counters();
    words->unwritten.hits.add(2);
    catalog.give_back_counters(failed);
    const Rows taken = catalog.take_counters();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].hits == 5);
    CHECK(taken[0].failed == 1);
    catalog.renew(words);
    CHECK(with_id(catalog.take_undelivered(), 2).hits == 5);
  }

  // ---- another file is opened while the process goes on

  TEST_CASE("a new file is told what this process calculates, under the same ids") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    const auto chars = catalog.add("Post", "chars", 2, "ttl 2h");
    const Rows undelivered = catalog.load({});
    CHECK(ids_of(undelivered) == Ids{7, 8});
    CHECK(with_id(undelivered, 8).name == "chars");
    CHECK(with_id(undelivered, 8).version == 2);
    CHECK(with_id(undelivered, 8).policy == "ttl 2h");
    CHECK(words->id == 7);
    CHECK(chars->id == 8);
    CHECK(catalog.is_current(7));
    CHECK(catalog.is_current(8));
  }

  TEST_CASE("what only the old file knew is current no more") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1), row(8, "old", 1, true)}).empty());
    CHECK(catalog.load({}).empty());
    CHECK_FALSE(catalog.is_current(7));
    CHECK_FALSE(catalog.has_retired());
  }

  TEST_CASE("the same file again changes nothing") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    CHECK(words->id == 7);
    CHECK(catalog.is_current(7));
  }

  TEST_CASE("another file's id for the same version is taken over") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    CHECK(catalog.load({row(1, "other", 1), row(20, "words", 1)}).empty());
    CHECK(words->id == 20);
    CHECK(catalog.is_current(20));
    CHECK(catalog.add("Post", "more", 1, "")->id == 21);
  }

  TEST_CASE("an id that means something else in the other file is given up") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    CHECK(words->id == 1);
    const Rows undelivered = catalog.load({row(1, "other", 1)});
    CHECK(words->id == 2);
    CHECK(ids_of(undelivered) == Ids{2});
    CHECK(undelivered[0].name == "words");
    CHECK(catalog.is_current(1));
    CHECK(catalog.is_current(2));
  }

  TEST_CASE("another file's results of another version are retired") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 2, "");
    const Rows undelivered = catalog.load({row(5, "words", 1)});
    CHECK(words->id == 1);
    CHECK(ids_of(undelivered) == Ids{1, 5});
    CHECK(with_id(undelivered, 5).retired);
    CHECK_FALSE(catalog.is_current(5));
    CHECK(ids_of(catalog.retired()) == Ids{5});
  }

  TEST_CASE("an invalidation that the file was not told of holds after it is opened again") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    catalog.renew(words);
    const Rows undelivered = catalog.load({row(7, "words", 1)});
    CHECK(words->id == 8);
    CHECK_FALSE(catalog.is_current(7));
    CHECK(catalog.is_current(8));
    CHECK(ids_of(undelivered) == Ids{7, 8});
    CHECK(with_id(undelivered, 7).retired);
    CHECK(ids_of(catalog.retired()) == Ids{7});
  }

  TEST_CASE("an id that was retired here does not retire another calculation's in another file") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    catalog.renew(catalog.add("Post", "words", 1, "ttl 1h"));
    const Rows undelivered = catalog.load({row(7, "other", 1)});
    CHECK(catalog.is_current(7));
    CHECK_FALSE(catalog.has_retired());
    CHECK(ids_of(undelivered) == Ids{8});
  }

  TEST_CASE("who only reads takes no id of one file for one of the next") {
    Catalog catalog(false);
    CHECK(catalog.load({row(1, "words", 1)}).empty());
    const auto words = catalog.add("Post", "words", 2, "");
    CHECK_FALSE(catalog.is_current(1));
    SUBCASE("another version's in the one, its own in the other") {
      (void)catalog.load({row(1, "words", 2)});
      CHECK(catalog.is_current(1));
      CHECK(words->id == 1);
      (void)catalog.load({row(1, "words", 2)});
      CHECK(catalog.is_current(1));
    }
    SUBCASE("its own in the one, another version's in the other, which is empty at first") {
      (void)catalog.load({row(5, "words", 2)});
      CHECK(words->id == 5);
      (void)catalog.load({});
      CHECK(words->id != 5);
      CHECK_FALSE(catalog.is_current(5));
    }
  }

  TEST_CASE("an id that no writer was told of is forgotten when it is renewed") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    for (int i = 0; i < 1'000; ++i) catalog.renew(words);
    CHECK(words->id == 1'001);
    CHECK_FALSE(catalog.is_current(1'000));
    CHECK_FALSE(catalog.has_retired());
    CHECK(ids_of(catalog.take_undelivered()) == Ids{1'001});
    CHECK_FALSE(catalog.has_undelivered());
  }

  TEST_CASE("an id that a writer was told of is retired, also if that could not be committed") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    const Rows told = catalog.take_undelivered();
    catalog.renew(words);
    catalog.give_back_undelivered(told);
    CHECK(ids_of(catalog.retired()) == Ids{1});
    const Rows undelivered = catalog.take_undelivered();
    CHECK(ids_of(undelivered) == Ids{1, 2});
    CHECK(with_id(undelivered, 1).retired);
  }

  TEST_CASE("rows that could not be written are taken again as they are by then") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    const Rows taken = catalog.take_undelivered();
    words->unwritten.hits.add(3);
    CHECK(catalog.take_counters().size() == 1);
    catalog.give_back_undelivered(taken);
    CHECK(with_id(catalog.take_undelivered(), 1).hits == 3);
  }

  TEST_CASE("an invalidation holds for a file that is seen only after it, whatever ids that has") {
    for (const std::int64_t id : {1, 2, 3, 9}) {
      Catalog catalog;
      const auto words = catalog.add("Post", "words", 1, "ttl 1h");
      catalog.renew(words);
      const Rows undelivered = catalog.load({row(id, "words", 1)});
      CHECK(words->id != id);
      CHECK_FALSE(catalog.is_current(id));
      CHECK(catalog.is_current(words->id));
      CHECK(ids_of(catalog.retired()) == Ids{id});
      CHECK(with_id(undelivered, id).retired);
      CHECK_FALSE(with_id(undelivered, words->id).retired);
      // The same file again, which was told.
      CHECK(catalog.load(undelivered).empty());
      CHECK(catalog.is_current(words->id));
    }
  }
}
