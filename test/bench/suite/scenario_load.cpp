#include <algorithm>

#include <fmt/format.h>

#include <ashmemo/ashmemo.hpp>

#include "bench/entries.hpp"
#include "bench/suite/bench.hpp"
#include "bench/suite/system_ashmemo.hpp"

// Loads of two calculations for a page of records, compared with only the lookup that a load
// contains.

namespace ashmemo::bench {
namespace {

constexpr std::size_t kPage = 10'000;
constexpr std::size_t kCalculations = 2;
constexpr std::size_t kMissesOneIn = 10;

struct Post {
  std::int64_t id = 0;
  std::int64_t version = 0;
};

/// Pages of records. The cache contains all their results.
class Pages {
 public:
  Pages(const Setup& setup, std::size_t records_of_page)
      : value_bytes_(setup.value_bytes),
        cache_(cache_file(directory_.path()), cache_options(setup)),
        pages_(std::max<std::size_t>(setup.entries / kCalculations / records_of_page, 1)) {
    posts_.record_version(&Post::version);
    for (const char* name : {"title", "excerpt"}) posts_.cache_calculation(name, {.ttl = kTtl});
    std::int64_t id = 0;
    for (auto& page : pages_) {
      for (std::size_t i = 0; i < records_of_page; ++i) page.records.push_back({id++});
      fill(page);
    }
    (void)load();  // opens the readers and fills the memory tier
  }

  [[nodiscard]] std::size_t results_of_page() const { return pages_.front().keys.size(); }
  void flush() { cache_.flush(); }

  /// Loads the next page.
  Nanoseconds load() {
    const Page& page = next();
    return timed([&] {
      const auto [titles, excerpts] = posts_.load(page.records, title_, excerpt_);
      check(page, titles, excerpts);
    });
  }
  /// As load, after one record in ten has changed.
  Nanoseconds load_changed() {
    for (std::size_t i = changed_++ % kMissesOneIn; i < pages_[turn_].records.size();
         i += kMissesOneIn) {
      ++pages_[turn_].records[i].version;
    }
    return load();
  }
  /// Only looks up the keys that the load looks up.
  Nanoseconds get_many() {
    const Page& page = next();
    return timed([&] {
      const auto values = cache_.get_many<std::string>(page.keys);
      require(std::all_of(values.begin(), values.end(),
                          [&](const auto& value) { return value && is_right(*value); }),
              "a result is missing or wrong");
    });
  }

 private:
  struct Page {
    std::vector<Post> records;
    std::vector<std::string> keys;
  };

  Calculation<Post, std::string> declare(const char* name) {
    return posts_.calculation(name, [bytes = value_bytes_](Records<Post> batch) {
      std::vector<std::string> results;
      results.reserve(batch.size());
      for (const Post& post : batch) {
        results.push_back(value_of(static_cast<std::size_t>(post.id), bytes));
      }
      return results;
    });
  }

  void fill(Page& page) {
    (void)posts_.load(page.records, title_, excerpt_);
    cache_.flush();
    for (const auto& calculation : {title_, excerpt_}) {
      for (const Post& post : page.records) page.keys.push_back(calculation.key(post));
    }
  }

  const Page& next() {
    turn_ = (turn_ + 1) % pages_.size();
    return pages_[turn_];
  }

  [[nodiscard]] bool is_right(const std::string& value) const {
    return value.size() == value_bytes_ && value.front() != '\0';
  }
  void check(const Page& page, const std::vector<std::string>& titles,
             const std::vector<std::string>& excerpts) const {
    require(titles.size() == page.records.size() && excerpts.size() == page.records.size(),
            "a result is missing");
    const auto right = [this](const std::string& value) { return is_right(value); };
    require(std::all_of(titles.begin(), titles.end(), right) &&
                std::all_of(excerpts.begin(), excerpts.end(), right),
            "a result is wrong");
  }

  const std::size_t value_bytes_;
  ScratchDirectory directory_;
  Cache cache_;
  Registry registry_{cache_};
  Resource<Post>& posts_ = registry_.resource<Post>("Post", &Post::id);
  Calculation<Post, std::string> title_ = declare("title");
  Calculation<Post, std::string> excerpt_ = declare("excerpt");
  std::vector<Page> pages_;
  std::size_t turn_ = 0;
  std::size_t changed_ = 0;
};

/// Plain SQLite looks up as many keys and writes as many rows as the load does.
Lane raw_lane(const Contestant& contestant, const Setup& setup, std::size_t keys,
              std::size_t written) {
  const auto reader = std::shared_ptr<Reader>(contestant->reader());
  const auto wanted = std::make_shared<KeyBlock>(uniform(setup.entries), keys);
  const auto given =
      std::make_shared<PairBlock>(uniform(setup.entries, 2), written, setup.value_bytes);
  const auto survives = written == 0 ? std::nullopt : std::optional(Survives::nothing);
  return {.system = contestant.name(),
          .operations = keys,
          .survives = survives,
          .block = [=, &contestant] {
            const auto names = wanted->next();
            const auto pairs = given->next();
            return timed([&] {
              const std::size_t right =
                  count_right(names, reader->get_many(names), setup.value_bytes);
              require(right == names.size(), "an entry is missing");
              if (!pairs.empty()) contestant->put_many(pairs);
            });
          }};
}

void measure_variant(Bench& bench, const char* variant, const Setup& setup, bool with_misses) {
  bench.notify(fmt::format("load, {}: filling", variant));
  Pages pages(setup, bench.smaller(kPage));
  const std::size_t results = pages.results_of_page();
  const Contestant raw = bench.files().open_filled(kRawSqlite, setup);
  std::vector<Lane> lanes;
  lanes.push_back({.system = "ashmemo", .operations = results, .block = [&] {
                     return with_misses ? pages.load_changed() : pages.load();
                   }});
  lanes.push_back({.system = "ashmemo_get_many", .operations = results, .block = [&] {
                     return pages.get_many();
                   }});
  lanes.push_back(raw_lane(raw, setup, results, with_misses ? results / kMissesOneIn : 0));
  if (with_misses) {
    lanes.front().survives = Survives::nothing;
    lanes.front().after_turn = [&] { pages.flush(); };
  }
  warm_up(lanes, 0);
  Row like = bench.row("load", variant, "", setup.entries);
  like.by = By::mean;
  bench.measure_rows(like, lanes, bench.rounds());
}

}  // namespace

void load(Bench& bench) {
  constexpr std::int64_t bytes_for_each = 1'000;
  Setup setup = bench.setup(std::max(bench.settings().entries, bench.smaller(2 * kPage)));
  setup.tier_bytes =
      static_cast<std::int64_t>(setup.entries * (setup.value_bytes + bytes_for_each));
  measure_variant(bench, "all hits", setup, false);
  setup.tier_bytes = 0;
  measure_variant(bench, "all hits, no tier", setup, false);
  measure_variant(bench, "10 % misses", setup, true);
}

}  // namespace ashmemo::bench
