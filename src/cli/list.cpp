#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <vector>

#include "cli/calculations.hpp"
#include "cli/commands.hpp"
#include "cli/entry_text.hpp"
#include "cli/format.hpp"
#include "cli/open.hpp"
#include "cli/table.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace ashmemo::cli {

const char* const kListHelp =
    R"(Sorted by size, age, reads or cost (what computing took), the most comes
first; by expiry, what expires next; what is over is not listed. Control
characters in keys stand as \n or \x1B; in the shell, $'...' gives them back.
Where a terminal is too narrow, cost, state and age are left out, then the
middle of long keys; | cat shows all.

JSON: file, total, shown, entries: a list of cache_key (of one that is no
UTF-8, key_hex has the bytes), resource, calculation, version, state (fresh,
stale, or kept for errors), and by the names of their columns byte_size,
inserted_at, computed_at, fresh_until, expires_at, keep_until, accessed_at,
access_count, calculation_id, cost_us: moments in microseconds since 1970 UTC.

Examples:
  ashmemo list blog.cache.db --prefix Post:42:
  ashmemo list blog.cache.db --sort size --limit 10
  ashmemo list blog.cache.db --sort reads --reverse
  ashmemo list blog.cache.db --limit 0 --json | jq -r '.entries[].cache_key')";

namespace {

using Json = nlohmann::ordered_json;

/// What entries are sorted by: the least comes first. A key that equals another's does not exist.
using Rank = std::function<std::int64_t(const EntryInfo&)>;

std::int64_t descending(std::int64_t number) { return detail::subtract_saturated(0, number); }

const std::map<std::string, Rank>& ranks() {
  static const std::map<std::string, Rank> all{
      {"key", [](const EntryInfo&) { return 0; }},
      {"size", [](const EntryInfo& entry) { return descending(entry.byte_size); }},
      {"age", [](const EntryInfo& entry) { return entry.computed_at; }},
      {"expiry",
       [](const EntryInfo& entry) {
         return entry.expires_at.value_or(std::numeric_limits<std::int64_t>::max());
       }},
      {"reads", [](const EntryInfo& entry) { return descending(entry.access_count); }},
      {"cost",
       [](const EntryInfo& entry) { return descending(entry.cost.value_or(Duration()).count()); }}};
  return all;
}

/// The first entries in the order asked for, of any number that is seen.
class Selection {
 public:
  explicit Selection(const ListOptions& options)
      : rank_(ranks().at(options.sort)),
        reverse_(options.reverse),
        limit_(options.limit == 0 ? std::numeric_limits<std::size_t>::max()
                                  : static_cast<std::size_t>(options.limit)) {}

  void see(const EntryInfo& entry) {
    ++total_;
    kept_.push_back(entry);
    // Now and then those that come too late are let go, so that few are in memory.
    if (kept_.size() / 2 > limit_ && kept_.size() > kMin) cut();
  }
  [[nodiscard]] const std::vector<EntryInfo>& finish() {
    cut();
    return kept_;
  }
  [[nodiscard]] std::int64_t total() const noexcept { return total_; }

 private:
  static constexpr std::size_t kMin = 1'000;

  void cut() {
    std::sort(kept_.begin(), kept_.end(),
              [this](const EntryInfo& a, const EntryInfo& b) { return comes_before(a, b); });
    if (kept_.size() > limit_) kept_.resize(limit_);
  }
  [[nodiscard]] bool comes_before(const EntryInfo& a, const EntryInfo& b) const {
    const std::int64_t rank_a = rank_(a);
    const std::int64_t rank_b = rank_(b);
    const int order = rank_a != rank_b ? (rank_a < rank_b ? -1 : 1) : a.key.compare(b.key);
    return reverse_ ? order > 0 : order < 0;
  }

  const Rank& rank_;
  const bool reverse_;
  const std::size_t limit_;
  std::vector<EntryInfo> kept_;
  std::int64_t total_ = 0;
};

Table table_of(const ListOptions& options, const std::vector<EntryInfo>& entries) {
  const std::int64_t now = system_clock()->wall_now();
  Table::Row less_needed{"cost", "state", "age"};
  std::erase(less_needed, options.sort);
  Table table({"key", "size", "age", "expires", "reads", "cost", "state"}, less_needed);
  for (const EntryInfo& entry : entries) {
    table.add({escaped(entry.key), size_text(entry.byte_size), age_text(entry, now),
               time_left(entry, now), grouped(entry.access_count),
               entry.cost ? cost_text(entry.cost->count()) : "-", std::string(state_of(entry))});
  }
  return table;
}

std::string last_line(const ListOptions& options, std::size_t shown, std::int64_t total) {
  const std::string of = options.prefix.empty() ? "" : " with this prefix";
  if (total == 0) return fmt::format("no entries{}\n", of);
  if (static_cast<std::int64_t>(shown) == total) return {};
  return fmt::format("{} of {}{}; --limit 0 shows all\n", grouped(static_cast<std::int64_t>(shown)),
                     counted(total, "entry", "entries"), of);
}

void print_table(const ListOptions& options, const std::vector<EntryInfo>& entries,
                 std::int64_t total) {
  if (!entries.empty()) print(table_of(options, entries).text(screen()));
  print(last_line(options, entries.size(), total));
}

void print_json(const ListOptions& options, const std::vector<EntryInfo>& entries,
                std::int64_t total, const Calculations& calculations) {
  Json json{{"file", options.file},
            {"total", total},
            {"shown", entries.size()},
            {"entries", Json::array()}};
  for (const EntryInfo& entry : entries) {
    json["entries"].push_back(json_of(entry, calculations.find(entry)));
  }
  write_json(json);
}

}  // namespace

Exit list(const ListOptions& options) {
  const Cache cache = open_for_reading(options.file);
  Selection selection(options);
  visit_all(cache, options.prefix, [&](const EntryInfo& entry) { selection.see(entry); });
  const std::vector<EntryInfo>& entries = selection.finish();
  if (options.json) {
    print_json(options, entries, selection.total(), Calculations(cache));
  } else {
    print_table(options, entries, selection.total());
  }
  return Exit::ok;
}

}  // namespace ashmemo::cli
