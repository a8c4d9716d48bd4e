#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ashmemo/error.hpp>

#include "engine/catalog.hpp"
#include "support/allocations.hpp"

using namespace ashmemo;
using engine::Catalog;
using store::CalculationRow;
using test::without_memory;
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

/// A retired row as the store reads it.
CalculationRow without_texts(std::int64_t id) {
  CalculationRow retired;
  retired.id = id;
  retired.version = 1;
  retired.retired = true;
  return retired;
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
  TEST_CASE("the catalog loads the rows of a file again after an allocation failed") {
    bool failed = true;
    for (std::int64_t before = 0; failed; ++before) {
      CAPTURE(before);
      Catalog catalog;
      const auto words = catalog.add("Post", "words", 1, "ttl 1h");
      const auto title = catalog.add("Post", "title", 1, "ttl 1h");
      catalog.renew(title);  // the old id is dropped
      const Rows rows{row(7, "words", 1), row(8, "old", 1), row(9, "gone", 1, true)};
      failed = without_memory(before, [&] { (void)catalog.load(rows); });
      const Rows unwritten = catalog.load(rows);
      CHECK(words->id == 7);
      CHECK(title->id == 3);
      CHECK(ids_of(unwritten) == Ids{title->id});
      CHECK(ids_of(catalog.retired()) == Ids{9});
      CHECK(catalog.is_current(7));
      CHECK(catalog.is_current(8));
    }
  }

  TEST_CASE("a calculation is added after an allocation failed") {
    bool failed = true;
    for (std::int64_t before = 0; failed; ++before) {
      CAPTURE(before);
      Catalog catalog;
      failed = without_memory(before, [&] { (void)catalog.add("Post", "words", 1, "ttl 1h"); });
      catalog.give_back_unwritten(catalog.load({}));
      const auto words = catalog.add("Post", "words", 1, "ttl 1h");
      CHECK(words->id > 0);
      CHECK(catalog.is_current(words->id));
      CHECK(with_id(catalog.take_unwritten(), words->id).name == "words");
    }
  }

  TEST_CASE("a calculation keeps its id or gets another one when an allocation fails") {
    bool failed = true;
    for (std::int64_t before = 0; failed; ++before) {
      CAPTURE(before);
      Catalog catalog;
      const auto words = catalog.add("Post", "words", 1, "ttl 1h");
      (void)catalog.take_unwritten();
      failed = without_memory(before, [&] { catalog.renew(words); });
      if (!failed) CHECK(words->id == 2);
      catalog.renew(words);
      CHECK(words->id >= 2);
      CHECK(catalog.is_current(words->id));
      CHECK_FALSE(catalog.is_current(1));
      CHECK(with_id(catalog.take_unwritten(), words->id).name == "words");
    }
  }

  TEST_CASE("the catalog gives a new calculation an id and a row for the file") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    CHECK(words->id == 1);
    const Rows unwritten = catalog.take_unwritten();
    REQUIRE(unwritten.size() == 1);
    CHECK(unwritten[0].id == 1);
    CHECK(unwritten[0].resource == "Post");
    CHECK(unwritten[0].name == "words");
    CHECK(unwritten[0].version == 1);
    CHECK_FALSE(unwritten[0].retired);
    CHECK(catalog.is_current(1));
  }

  TEST_CASE("the catalog keeps the id and needs no row when the file contains the calculation") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 3)}).empty());
    const auto words = catalog.add("Post", "words", 3, "ttl 1h");
    CHECK(words->id == 7);
    const Rows unwritten = catalog.take_unwritten();
    CHECK(unwritten.empty());
    CHECK(catalog.retired_count() == 0);
  }

  TEST_CASE("the catalog keeps the id and updates the row when the policy differs") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 3)}).empty());
    const auto words = catalog.add("Post", "words", 3, "ttl 2h");
    CHECK(words->id == 7);
    const Rows unwritten = catalog.take_unwritten();
    REQUIRE(unwritten.size() == 1);
    CHECK(unwritten[0].policy == "ttl 2h");
  }

  TEST_CASE("the catalog assigns a new id and retires the old one when the version differs") {
    for (const std::int64_t version : {4, 2}) {
      Catalog catalog;
      CHECK(catalog.load({row(7, "words", 3)}).empty());
      const auto words = catalog.add("Post", "words", version, "ttl 1h");
      CHECK(words->id == 8);
      const Rows unwritten = catalog.take_unwritten();
      CHECK(ids_of(unwritten) == Ids{7, 8});
      CHECK(with_id(unwritten, 7).retired);
      CHECK_FALSE(with_id(unwritten, 8).retired);
      CHECK_FALSE(catalog.is_current(7));
      CHECK(catalog.is_current(8));
      CHECK(ids_of(catalog.retired()) == Ids{7});
    }
  }

  TEST_CASE("results of another type get a new id and retire the old one") {
    Catalog catalog;
    CalculationRow known = row(7, "words", 3);
    known.result_type = "vector of float";
    CHECK(catalog.load({known}).empty());
    const auto words = catalog.add("Post", "words", 3, "ttl 1h", "vector of uint8");
    CHECK(words->id == 8);
    const Rows unwritten = catalog.take_unwritten();
    CHECK(ids_of(unwritten) == Ids{7, 8});
    CHECK(with_id(unwritten, 7).retired);
    CHECK(with_id(unwritten, 7).result_type == "vector of float");
    CHECK(with_id(unwritten, 8).result_type == "vector of uint8");
    CHECK_FALSE(catalog.is_current(7));
  }

  TEST_CASE("results of the same type keep their id") {
    Catalog catalog;
    CalculationRow known = row(7, "words", 3);
    known.result_type = "text";
    CHECK(catalog.load({known}).empty());
    CHECK(catalog.add("Post", "words", 3, "ttl 1h", "text")->id == 7);
    CHECK_FALSE(catalog.has_unwritten());
  }

  TEST_CASE("a file that does not know the type of results takes the program's") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 3)}).empty());
    CHECK(catalog.add("Post", "words", 3, "ttl 1h", "text")->id == 7);
    const Rows unwritten = catalog.take_unwritten();
    CHECK(ids_of(unwritten) == Ids{7});
    CHECK(with_id(unwritten, 7).result_type == "text");
    CHECK_FALSE(with_id(unwritten, 7).retired);
    // The same when another such file is opened while the program runs.
    const Rows told = catalog.load({row(9, "words", 3)});
    CHECK(ids_of(told) == Ids{9});
    CHECK(with_id(told, 9).result_type == "text");
  }

  TEST_CASE("a file that does not know the types of arguments takes the program's") {
    Catalog catalog;
    CalculationRow known = row(7, "words", 3);
    known.result_type = "text";
    CHECK(catalog.load({known}).empty());
    CHECK(catalog.add("Post", "words", 3, "", "text of (integer;)")->id == 7);
    CHECK(with_id(catalog.take_unwritten(), 7).result_type == "text of (integer;)");
    known.result_type = "text of (bool;)";
    CHECK(ids_of(catalog.load({known})) == Ids{7, 8});
  }

  TEST_CASE("another file's results of another type are retired") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 2, "", "text");
    CalculationRow known = row(5, "words", 2);
    known.result_type = "integer";
    CHECK(ids_of(catalog.load({known})) == Ids{1, 5});
    CHECK(words->id == 1);
    CHECK_FALSE(catalog.is_current(5));
  }

  TEST_CASE("one calculation with two types in one process is misuse") {
    Catalog catalog;
    const auto first = catalog.add("Post", "words", 1, "", "text");
    CHECK(catalog.add("Post", "words", 1, "", "text") == first);
    CHECK_THROWS_WITH_AS(
        static_cast<void>(catalog.add("Post", "words", 1, "", "integer")),
        "calculation Post.words is in use with version 1 and results of type 'text' in this process"
        " and cannot be registered with version 1 and results of type 'integer' too",
        Error);
  }

  TEST_CASE("the message about a calculation with arguments says that it names several types") {
    Catalog catalog;
    (void)catalog.add("Post", "words", 1, "", "text of (integer;)");
    CHECK_THROWS_WITH_AS(
        static_cast<void>(catalog.add("Post", "words", 1, "", "text of (bool;)")),
        "calculation Post.words is in use with version 1 and results of types"
        " 'text of (integer;)' in this process and cannot be registered with version 1 and results"
        " of types 'text of (bool;)' too",
        Error);
  }

  TEST_CASE("registering a calculation again throws only if the version differs") {
    Catalog catalog;
    const auto first = catalog.add("Post", "words", 1, "");
    CHECK(catalog.add("Post", "words", 1, "") == first);
    CHECK_THROWS_AS(static_cast<void>(catalog.add("Post", "words", 2, "")), Error);
    CHECK(catalog.calculations().size() == 1);
  }

  TEST_CASE("the catalog distinguishes calculations of one name in two resources") {
    Catalog catalog;
    const auto a = catalog.add("Post", "words", 1, "");
    const auto b = catalog.add("Page", "words", 1, "");
    CHECK(a->id != b->id);
    CHECK(catalog.calculations().size() == 2);
  }

  TEST_CASE("renewing a calculation invalidates all its results and keeps its counters") {
    Catalog catalog;
    CalculationRow known = row(7, "words", 3);
    known.hits = 40;
    CHECK(catalog.load({known}).empty());
    const auto words = catalog.add("Post", "words", 3, "ttl 1h");
    catalog.renew(words);
    CHECK(words->id == 8);
    CHECK_FALSE(catalog.is_current(7));
    const Rows unwritten = catalog.take_unwritten();
    CHECK(ids_of(unwritten) == Ids{7, 8});
    CHECK(with_id(unwritten, 8).hits == 40);
    CHECK(with_id(unwritten, 7).hits == 0);  // otherwise the file would count them twice
  }

  TEST_CASE("the catalog clears the counters of a retired calculation of the file") {
    Catalog catalog;
    CalculationRow old = row(7, "words", 3, true);
    old.hits = 40;
    old.saved_us = 500;
    CHECK(catalog.load({old, row(8, "words", 4)}).empty());
    REQUIRE(catalog.retired().size() == 1);
    CHECK(catalog.retired()[0].hits == 0);
    CHECK(catalog.retired()[0].saved_us == 0);
  }

  TEST_CASE("the catalog accepts id 0 and ids of the file and refuses retired and unknown ids") {
    Catalog catalog;
    CHECK(catalog.is_current(0));
    CHECK_FALSE(catalog.is_current(5));
    CHECK(catalog.load({row(5, "words", 1), row(6, "old", 1, true)}).empty());
    CHECK(catalog.is_current(5));  // in the file, but not yet registered
    CHECK_FALSE(catalog.is_current(6));
    CHECK(ids_of(catalog.retired()) == Ids{6});
    const Ids six{6};
    catalog.drop_retired(six);
    CHECK(catalog.retired_count() == 0);
    CHECK_FALSE(catalog.is_current(6));
  }

  TEST_CASE("the catalog does not use the id of a retired calculation again") {
    Catalog catalog;
    CHECK(catalog.load({row(9, "old", 1, true)}).empty());
    CHECK(catalog.add("Post", "words", 1, "")->id == 10);
  }

  TEST_CASE("the catalog starts ids again at 1 when the file contains the largest possible id") {
    Catalog catalog;
    CHECK(catalog.load({row(std::numeric_limits<std::int64_t>::max(), "foreign", 1)}).empty());
    CHECK(catalog.add("Post", "words", 1, "")->id == 1);
    CHECK(catalog.add("Post", "chars", 1, "")->id == 2);
  }

  TEST_CASE("the catalog returns each count once and skips calculations without counts") {
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
    CHECK(with_id(catalog.take_unwritten(), 3).hits == 3);
  }

  TEST_CASE("the catalog returns saved time without hits") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    words->unwritten.saved_us.add(500);
    const Rows taken = catalog.take_counters();
    REQUIRE(taken.size() == 1);
    CHECK(taken[0].saved_us == 500);
  }

  TEST_CASE("the catalog adds returned counts to later ones") {
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
    CHECK(with_id(catalog.take_unwritten(), 2).hits == 5);
  }

  // ---- The process opens another file.

  TEST_CASE("the catalog returns rows with the same ids for a new file") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    const auto chars = catalog.add("Post", "chars", 2, "ttl 2h");
    const Rows unwritten = catalog.load({});
    CHECK(ids_of(unwritten) == Ids{7, 8});
    CHECK(with_id(unwritten, 8).name == "chars");
    CHECK(with_id(unwritten, 8).version == 2);
    CHECK(with_id(unwritten, 8).policy == "ttl 2h");
    CHECK(words->id == 7);
    CHECK(chars->id == 8);
    CHECK(catalog.is_current(7));
    CHECK(catalog.is_current(8));
  }

  TEST_CASE("the catalog forgets calculations that only the previous file contained") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1), row(8, "old", 1, true)}).empty());
    CHECK(catalog.load({}).empty());
    CHECK_FALSE(catalog.is_current(7));
    CHECK(catalog.retired_count() == 0);
  }

  TEST_CASE("the catalog changes nothing when the file is the same") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    CHECK(words->id == 7);
    CHECK(catalog.is_current(7));
  }

  TEST_CASE("the catalog takes the id of the new file for the same version") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    CHECK(catalog.load({row(1, "other", 1), row(20, "words", 1)}).empty());
    CHECK(words->id == 20);
    CHECK(catalog.is_current(20));
    CHECK(catalog.add("Post", "more", 1, "")->id == 21);
  }

  TEST_CASE("the catalog assigns a new id when the new file uses the id for another calculation") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    CHECK(words->id == 1);
    const Rows unwritten = catalog.load({row(1, "other", 1)});
    CHECK(words->id == 2);
    CHECK(ids_of(unwritten) == Ids{2});
    CHECK(unwritten[0].name == "words");
    CHECK(catalog.is_current(1));
    CHECK(catalog.is_current(2));
  }

  TEST_CASE("the catalog retires another version that the new file contains") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 2, "");
    const Rows unwritten = catalog.load({row(5, "words", 1)});
    CHECK(words->id == 1);
    CHECK(ids_of(unwritten) == Ids{1, 5});
    CHECK(with_id(unwritten, 5).retired);
    CHECK_FALSE(catalog.is_current(5));
    CHECK(ids_of(catalog.retired()) == Ids{5});
  }

  TEST_CASE(
      "the catalog keeps an invalidation that was not written before the file was opened again") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    catalog.renew(words);
    const Rows unwritten = catalog.load({row(7, "words", 1)});
    CHECK(words->id == 8);
    CHECK_FALSE(catalog.is_current(7));
    CHECK(catalog.is_current(8));
    CHECK(ids_of(unwritten) == Ids{7, 8});
    CHECK(with_id(unwritten, 7).retired);
    CHECK(ids_of(catalog.retired()) == Ids{7});
  }

  TEST_CASE(
      "the catalog does not retire another calculation that has a retired id in the new file") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    catalog.renew(catalog.add("Post", "words", 1, "ttl 1h"));
    const Rows unwritten = catalog.load({row(7, "other", 1)});
    CHECK(catalog.is_current(7));
    CHECK(catalog.retired_count() == 0);
    CHECK(ids_of(unwritten) == Ids{8});
  }

  TEST_CASE("a read-only catalog does not use the ids of the previous file") {
    Catalog catalog(false);
    CHECK(catalog.load({row(1, "words", 1)}).empty());
    const auto words = catalog.add("Post", "words", 2, "");
    CHECK_FALSE(catalog.is_current(1));
    SUBCASE("the second file contains its version under the same id") {
      (void)catalog.load({row(1, "words", 2)});
      CHECK(catalog.is_current(1));
      CHECK(words->id == 1);
      (void)catalog.load({row(1, "words", 2)});
      CHECK(catalog.is_current(1));
    }
    SUBCASE("the second file contains its version and the third file is empty") {
      (void)catalog.load({row(5, "words", 2)});
      CHECK(words->id == 5);
      (void)catalog.load({});
      CHECK(words->id != 5);
      CHECK_FALSE(catalog.is_current(5));
    }
  }

  TEST_CASE("renewing a calculation forgets an id that no writer has taken") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    for (int i = 0; i < 1'000; ++i) catalog.renew(words);
    CHECK(words->id == 1'001);
    CHECK_FALSE(catalog.is_current(1'000));
    CHECK(catalog.retired_count() == 0);
    CHECK(ids_of(catalog.take_unwritten()) == Ids{1'001});
    CHECK_FALSE(catalog.has_unwritten());
  }

  TEST_CASE(
      "renewing a calculation retires an id that a writer has taken, even if the commit failed") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    const Rows taken = catalog.take_unwritten();
    catalog.renew(words);
    catalog.give_back_unwritten(taken);
    CHECK(ids_of(catalog.retired()) == Ids{1});
    const Rows unwritten = catalog.take_unwritten();
    CHECK(ids_of(unwritten) == Ids{1, 2});
    CHECK(with_id(unwritten, 1).retired);
  }

  TEST_CASE("a retired row that the file already has is not written again") {
    Catalog catalog;
    CHECK(catalog.load({row(7, "words", 1)}).empty());
    catalog.renew(catalog.add("Post", "words", 1, "ttl 1h"));
    const Rows taken = catalog.take_unwritten();
    CHECK(ids_of(taken) == Ids{7, 8});
    catalog.give_back_unwritten(taken);  // they are in the file, but the commit reported a failure
    // It is not certain that this process wrote row 8, so its results do not answer.
    CHECK(ids_of(catalog.load({without_texts(7), row(8, "words", 1)})) == Ids{8, 9});
    CHECK(ids_of(catalog.retired()) == Ids{7, 8});
  }

  TEST_CASE("rows that could not be written are taken again with their current counters") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "");
    const Rows taken = catalog.take_unwritten();
    words->unwritten.hits.add(3);
    CHECK(catalog.take_counters().size() == 1);
    catalog.give_back_unwritten(taken);
    CHECK(with_id(catalog.take_unwritten(), 1).hits == 3);
  }

  TEST_CASE("the catalog applies an earlier invalidation to a new file with any ids") {
    for (const std::int64_t id : {1, 2, 3, 9}) {
      Catalog catalog;
      const auto words = catalog.add("Post", "words", 1, "ttl 1h");
      catalog.renew(words);
      const Rows unwritten = catalog.load({row(id, "words", 1)});
      CHECK(words->id != id);
      CHECK_FALSE(catalog.is_current(id));
      CHECK(catalog.is_current(words->id));
      CHECK(ids_of(catalog.retired()) == Ids{id});
      CHECK(with_id(unwritten, id).retired);
      CHECK_FALSE(with_id(unwritten, words->id).retired);
      // The same file again, which now contains these rows.
      CHECK(catalog.load(unwritten).empty());
      CHECK(catalog.is_current(words->id));
    }
  }

  TEST_CASE("an invalidation that could not be written applies to a new file with the same id") {
    Catalog catalog;
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    (void)catalog.take_unwritten();
    catalog.renew(words);
    catalog.give_back_unwritten(catalog.take_unwritten());  // the commit failed
    Rows unwritten = catalog.load({row(2, "words", 1)});
    CHECK(words->id == 3);
    CHECK_FALSE(catalog.is_current(2));
    // The rows could not be written to this file either.
    catalog.give_back_unwritten(unwritten);
    unwritten = catalog.load({row(3, "words", 1)});
    CHECK(words->id == 4);
    CHECK_FALSE(catalog.is_current(3));
    CHECK(with_id(unwritten, 3).retired);
  }

  TEST_CASE(
      "a new calculation retires the least read one of others when the file has the maximum") {
    constexpr auto kMax = static_cast<std::int64_t>(Catalog::kMaxCalculations);
    Rows file;
    for (std::int64_t id = 1; id <= kMax + 1; ++id) {
      file.push_back(row(id, "calculation " + std::to_string(id), 1));
      file.back().hits = 1'000'000 - id;
      if (id == 7) file.back().hits = 0;
    }
    Catalog catalog;
    CHECK(catalog.load(file).empty());
    const auto used = catalog.add("Post", "calculation " + std::to_string(kMax + 1), 1, "");
    CHECK(catalog.retired().empty());
    const auto words = catalog.add("Post", "words", 1, "");
    CHECK(ids_of(catalog.retired()) == Ids{7, kMax});
    CHECK_FALSE(catalog.is_current(7));
    CHECK(catalog.is_current(used->id));
    CHECK(catalog.is_current(words->id));
    CHECK(with_id(catalog.take_unwritten(), 7).retired);
  }

  TEST_CASE("a calculation that was retired for space stays retired in an older copy of the file") {
    constexpr auto kMax = static_cast<std::int64_t>(Catalog::kMaxCalculations);
    Rows file;
    for (std::int64_t id = 1; id <= kMax; ++id) {
      file.push_back(row(id, "calculation " + std::to_string(id), 1));
      file.back().hits = id;
    }
    Catalog catalog;
    CHECK(catalog.load(file).empty());
    const auto words = catalog.add("Post", "words", 1, "ttl 1h");
    CHECK(ids_of(catalog.take_unwritten()) == Ids{1, words->id});
    Rows written = file;
    written[0] = without_texts(1);
    written.push_back(row(words->id, "words", 1));
    CHECK(catalog.load(written).empty());
    CHECK(ids_of(catalog.load(file)) == Ids{1, words->id});
    CHECK_FALSE(catalog.is_current(1));
    CHECK(with_id(catalog.retired(), 1).name == "calculation 1");
  }

  TEST_CASE("a process cannot use more calculations than the maximum") {
    Catalog catalog;
    for (std::size_t i = 0; i < Catalog::kMaxCalculations; ++i) {
      (void)catalog.add("Post", "calculation " + std::to_string(i), 1, "");
    }
    CHECK_THROWS_AS((void)catalog.add("Post", "one more", 1, ""), Error);
    CHECK(catalog.add("Post", "calculation 5", 1, "")->id == 6);
    CHECK(catalog.calculations().size() == Catalog::kMaxCalculations);
  }
}
