#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cli/cache_file.hpp"
#include "cli/commands.hpp"
#include "cli/entry.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {

const char* const kListHelp =
    R"(--sort size, age, reads or cost (the time to compute the entry) lists the
largest first. --sort expiry lists the entry that expires first. Expired
entries are not listed. Control characters in keys are printed as \n or
\x1B; $'...' in the shell turns them back. If a terminal is too narrow, the
beginning of long keys is omitted; '| cat' prints everything.

JSON: file, total, shown, and entries, a list of objects with cache_key
(key_hex has the bytes of a key that is not UTF-8), resource, calculation,
version, state (fresh, stale, or kept for errors), byte_size, inserted_at,
computed_at, fresh_until, expires_at, keep_until, accessed_at, access_count,
calculation_id and cost_us. Times are in microseconds since 1970 UTC.

Examples:
  ashmemo list blog.cache.db --prefix Post:42:
  ashmemo list blog.cache.db --sort size --limit 10
  ashmemo list blog.cache.db --sort reads --reverse
  ashmemo list blog.cache.db --limit 0 --json | jq -r '.entries[].cache_key')";

namespace {

/// The number that --sort compares. Smaller numbers come first.
std::int64_t rank_of(const EntryInfo& entry, const std::string& sort) {
  const auto largest_first = [](std::int64_t number) {
    return detail::subtract_saturated(0, number);
  };
  if (sort == "size") return largest_first(entry.byte_size);
  if (sort == "age") return entry.computed_at;
  if (sort == "expiry") return entry.expires_at.value_or(std::numeric_limits<std::int64_t>::max());
  if (sort == "reads") return largest_first(entry.access_count);
  if (sort == "cost") return largest_first(entry.cost.value_or(Duration()).count());
  return 0;  // only the key counts
}

struct Listing {
  std::vector<EntryInfo> entries;  // those to print, in order
  std::int64_t total = 0;          // all with the prefix
};

Listing listing_of(const Cache& cache, const Arguments& arguments) {
  Listing listing;
  std::map<std::pair<std::int64_t, std::string>, EntryInfo> first;  // by rank and key
  visit_all(cache, arguments.prefix, [&](const EntryInfo& entry) {
    ++listing.total;
    first.emplace(std::pair(rank_of(entry, arguments.sort), entry.key), entry);
    const bool is_too_long = arguments.limit != 0 && std::ssize(first) > arguments.limit;
    if (is_too_long) first.erase(arguments.reverse ? first.begin() : std::prev(first.end()));
  });
  for (auto& [position, entry] : first) listing.entries.push_back(std::move(entry));
  if (arguments.reverse) std::reverse(listing.entries.begin(), listing.entries.end());
  return listing;
}

std::string expiry_of(const EntryInfo& entry) {
  if (!entry.expires_at) return "never";
  const std::int64_t left =
      detail::subtract_saturated(*entry.expires_at, system_clock()->wall_now());
  return left > 0 ? time_text(left) : "over";
}

void print_text(const Listing& listing, const Arguments& arguments) {
  std::vector<Row> rows{{"key", "size", "age", "expires", "reads", "cost", "state"}};
  for (const EntryInfo& entry : listing.entries) {
    rows.push_back({escaped(entry.key), size_text(entry.byte_size), age_of(entry), expiry_of(entry),
                    grouped(entry.access_count), entry.cost ? time_text(entry.cost->count()) : "-",
                    std::string(state_of(entry))});
  }
  if (!listing.entries.empty()) print_table(rows);

  const char* const condition = arguments.prefix.empty() ? "" : " with this prefix";
  const std::int64_t shown = std::ssize(listing.entries);
  if (listing.total == 0) {
    fmt::print("no entries{}\n", condition);
  } else if (shown < listing.total) {
    fmt::print("{} of {}{}; --limit 0 shows all\n", grouped(shown),
               counted(listing.total, "entry", "entries"), condition);
  }
}

}  // namespace

Exit list(const Arguments& arguments) {
  const Cache cache = open_for_reading(arguments.file);
  const Listing listing = listing_of(cache, arguments);
  if (!arguments.json) {
    print_text(listing, arguments);
    return Exit::ok;
  }
  const Calculations calculations = calculations_of(cache);
  Json entries = Json::array();
  for (const EntryInfo& entry : listing.entries) entries.push_back(json_of(entry, calculations));
  print_json({{"file", arguments.file},
              {"total", listing.total},
              {"shown", listing.entries.size()},
              {"entries", std::move(entries)}});
  return Exit::ok;
}

}  // namespace ashmemo::cli
