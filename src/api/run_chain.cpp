#include "api/run_chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include <ashmemo/error.hpp>

namespace ashmemo::api {
namespace {

thread_local const RunOnChain* innermost = nullptr;

// Any order will do, as long as equals stand together.
bool before(const engine::Query* a, const engine::Query* b) {
  const auto parts = [](const engine::Query& query) {
    const ValueView version = query.record_version;
    return std::tuple(query.key, version.type(), version.as_integer(), version.as_real(),
                      version.bytes());
  };
  return parts(*a) < parts(*b);
}

std::vector<const engine::Query*> sorted(std::vector<const engine::Query*> keys) {
  if (keys.size() > 1) std::sort(keys.begin(), keys.end(), before);
  return keys;
}

}  // namespace

RunOnChain::RunOnChain(const void* what, std::vector<const engine::Query*> keys)
    : what_(what), keys_(sorted(std::move(keys))), outer_(innermost) {
  for (const RunOnChain* run = outer_; run != nullptr; run = run->outer_) {
    if (run->what_ == what_ && contains_all_of(*run)) throw_cycle(*run);
  }
  innermost = this;
}

RunOnChain::~RunOnChain() { innermost = outer_; }

bool RunOnChain::contains_all_of(const RunOnChain& other) const {
  return other.keys_.size() <= keys_.size() &&
         std::includes(keys_.begin(), keys_.end(), other.keys_.begin(), other.keys_.end(), before);
}

void RunOnChain::throw_cycle(const RunOnChain& since) const {
  std::string path = shown();
  for (const RunOnChain* run = outer_;; run = run->outer_) {
    path.insert(0, run->shown() + " -> ");
    if (run == &since) break;
  }
  throw Error(ErrorCode::cycle, "these calculations need each other's results: " + path,
              std::string(keys_.front()->key));
}

std::string RunOnChain::shown() const {
  const std::string first(keys_.front()->key);
  return keys_.size() == 1 ? first : fmt::format("{} (and {} more)", first, keys_.size() - 1);
}

}  // namespace ashmemo::api
