#include <vector>

#include <ashmemo/detail/core.hpp>
#include <ashmemo/error.hpp>

#include "api/core.hpp"
#include "api/load.hpp"
#include "api/resource_policy.hpp"

// get_or_compute: a load with keys in the place of records and a loader in the place of a
// calculation.

namespace ashmemo::detail {

void get_or_compute(Core& core, std::span<const std::string_view> keys, PageRun& run,
                    const PutOptions& options) {
  const CachePolicy policy{.ttl = options.ttl};
  api::require_possible(policy, "PutOptions");
  for (const std::string_view key : keys) require_key(key);
  if (keys.empty()) return;
  std::vector<engine::Query> queries(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) queries[i].key = keys[i];
  const engine::Lifetimes lifetimes = api::lifetimes_of(policy, policy.ttl);
  api::LoadRun loader;
  loader.run = &run;
  loader.keeping = api::Keeping{.something = lifetimes, .nothing = lifetimes};
  const auto key_of = [keys](const api::LoadRun&, std::size_t record) {
    return std::string(keys[record]);
  };
  api::Load(core.engine, std::span(&loader, 1), keys.size(), queries, key_of, {}).run();
}

}  // namespace ashmemo::detail
