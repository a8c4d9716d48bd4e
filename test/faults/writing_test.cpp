#include <doctest/doctest.h>

#include "faults/operation.hpp"

// Writing, touching and removing while system calls fail.

using namespace ashmemo;
using test::numbered;
using test::Operation;
using test::Trial;
using test::try_faults;

namespace {

void open(Trial& trial) { (void)trial.cache(); }

Operation with_durability(Durability durability) {
  Operation operation{.before = open, .act = [](Trial& trial) {
                        trial.put("old7");
                        trial.put("new");
                        trial.put("long1");
                        trial.get("old7");
                        trial.get("long1");
                      }};
  operation.options.durability = durability;
  return operation;
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("put with Durability::relaxed and flush survive faults") {
    Operation operation = with_durability(Durability::relaxed);
    operation.act = [put = operation.act](Trial& trial) {
      put(trial);
      trial.flush();
      trial.get("new");
    };
    try_faults(operation);
  }

  TEST_CASE("put with Durability::commit survives faults") {
    try_faults(with_durability(Durability::commit));
  }

  TEST_CASE("put with Durability::power survives faults") {
    try_faults(with_durability(Durability::power));
  }

  TEST_CASE("put_many survives faults when it needs several transactions") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.put_many(numbered("old", 1'200));
                  trial.flush();
                  trial.get_many(numbered("old", 1'200));
                }});
  }

  TEST_CASE("put survives faults when the queue fills") {
    Operation operation{.before = open, .act = [](Trial& trial) {
                          for (const std::string& key : numbered("long", 12)) trial.put(key);
                          trial.get_many(numbered("long", 12));
                        }};
    operation.options.queue_bytes = 64 * KiB;
    try_faults(operation);
  }

  TEST_CASE("put survives faults when it evicts other entries") {
    for (const Eviction eviction : {Eviction::none, Eviction::lru, Eviction::s3fifo}) {
      Operation operation{.before = open, .act = [](Trial& trial) {
                            trial.get_many(numbered("old", 10));
                            trial.put_many(numbered("new", 20));
                            trial.flush();
                          }};
      operation.options.limits.max_entries = 40;
      operation.may_lose = true;
      operation.options.eviction = eviction;
      try_faults(operation);
    }
  }

  TEST_CASE("touch and touch_many survive faults when they are written") {
    Operation operation{.before = open, .act = [](Trial& trial) {
                          trial.cache().touch("old1");
                          const std::vector<std::string_view> keys{"old2", "old3", "long1"};
                          trial.cache().touch_many(keys);
                          trial.flush();
                        }};
    operation.options.timing.touch_interval = Duration();
    try_faults(operation);
  }

  TEST_CASE("erase survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.erase("old5");
                  trial.erase("long2");
                  trial.erase("never stored");
                  trial.get_many({"old5", "long2", "old6"});
                  trial.put("old5");
                  trial.get("old5");
                }});
  }

  TEST_CASE("erase_many survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.erase_many({"old5", "long2", "never stored", "old5"});
                  trial.get_many({"old5", "long2", "old6"});
                  trial.check_entry("old5");
                  trial.put("old5");
                  trial.get("old5");
                }});
  }

  TEST_CASE("erase_prefix survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.erase_prefix("old1");
                  trial.get_many(numbered("old", 30));
                  trial.put("old11");
                  trial.get("old11");
                }});
  }

  TEST_CASE("clear survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.clear();
                  trial.get_many(numbered("old", 30));
                  trial.put("old12");
                  trial.get("old12");
                }});
  }

  TEST_CASE("get_or_compute survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.get_or_compute("old1");
                  trial.get_or_compute("new");
                  trial.get_or_compute("new");
                  trial.flush();
                }});
  }

  TEST_CASE("get_or_compute_many survives faults") {
    try_faults({.before = open, .act = [](Trial& trial) {
                  trial.get_or_compute_many({"old1", "new1", "long2", "new2"});
                  trial.get_or_compute_many({"new1", "old1"});
                  trial.flush();
                }});
  }
}
