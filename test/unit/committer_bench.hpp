#pragma once

#include <memory>
#include <utility>

#include <doctest/doctest.h>

#include "maintenance/committer.hpp"
#include "support/fake_engine.hpp"

namespace ashmemo::test {

/// A committer that is separate from the worker's, so that a test commits one group at a time.
struct CommitterBench {
  explicit CommitterBench(Options options = FakeEngine::manual())
      : fake(std::move(options)),
        events(fake.engine),
        disk_full(fake.engine),
        transactions(fake.engine, events, disk_full),
        policy(eviction::make_eviction_policy(fake.engine.options.eviction)),
        upkeep(fake.engine, transactions, disk_full),
        sweeper(fake.engine, transactions),
        committer(fake.engine, transactions, upkeep, sweeper, policy.get()) {
    REQUIRE(fake.open().ok());
  }

  base::Status commit_next() {
    const auto store = fake.engine.store.get();
    return committer.commit_next(*store, {maintenance::WaitsForReads::once});
  }

  FakeEngine fake;
  maintenance::Events events;
  maintenance::DiskFullMode disk_full;
  maintenance::Transactions transactions;
  std::unique_ptr<eviction::EvictionPolicy> policy;
  maintenance::Upkeep upkeep;
  maintenance::Sweeper sweeper;
  maintenance::Committer committer;
};

}  // namespace ashmemo::test
