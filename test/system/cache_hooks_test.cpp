// The hooks: their arguments, when they are called, and which calls they may make.

#include <doctest/doctest.h>

#include <ashmemo/cache.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "support/cache_fixture.hpp"
#include "support/rendezvous.hpp"
#include "support/watchdog.hpp"

using namespace ashmemo;
using namespace ashmemo::test;
using namespace std::chrono_literals;

TEST_SUITE("system") {
  TEST_CASE("on_removal is called once for each removal, in order, after the commit") {
    CacheFixture f({.limits = {.max_entries = 100}, .eviction = Eviction::fifo});
    f.listen_to_removals();
    const auto heard = f.options.hooks.on_removal;
    f.options.hooks.on_removal = [&, heard](const Removal& removal) {
      heard(removal);
      // The removal is committed: another connection does not find the key.
      if (removal.cause == RemovalCause::erased) CHECK_FALSE(f.in_file(std::string(removal.key)));
    };
    f.fill("k", 100);
    f->flush();
    CHECK(f.heard.removals().empty());
    CHECK(f->erase_many(std::vector<std::string>{"k1", "k2"}) == 2);
    CHECK(f->erase_prefix("k9") == 11);
    f.fill("n", 20);
    f->flush();
    const auto removals = f.heard.removals();
    CHECK(removals.size() == 2 + 11 + 7);
    CHECK(removals[0] == "k1 erased");
    CHECK(removals[1] == "k2 erased");
    CHECK(removals[2] == "k9 erased");
    CHECK(removals[13] == "k0 evicted");
    CHECK(f->stats().erased == 13);
    CHECK(f->stats().evicted == 7);
  }

  TEST_CASE("on_removal is not called for a value that was never in the file") {
    CacheFixture f;
    f.listen_to_removals();
    CHECK(f->put("k", 1));
    CHECK(f->put("k", 2));
    CHECK(f->erase("k"));
    CHECK(f->put("l", 1));
    f->flush();
    CHECK(f.heard.removals().empty());
    CHECK(f->stats().replaced == 0);
  }

  TEST_CASE("an exception of on_removal is counted and reported") {
    CacheFixture f;
    f.worker_errors = 3;
    int called = 0;
    f.options.hooks.on_removal = [&](const Removal&) {
      ++called;
      throw std::runtime_error("not my day");
    };
    f.fill("k", 5);
    f->flush();
    CHECK(f->erase_prefix("k1") == 1);
    CHECK(f->erase_many(std::vector<std::string>{"k2", "k3"}) == 2);
    CHECK(called == 3);
    CHECK(f->stats().worker_errors == 3);
    f->flush();
    CHECK(f.heard.count(NoticeKind::listener_failed) == 1);
    CHECK(f.keys() == "k0 k4");
  }

  TEST_CASE("an exception of on_error is counted") {
    CacheFixture f({.limits = {.max_entry_bytes = 1'000},
                    .hooks = {.on_error = [](const Notice&) { throw 42; }}});
    CHECK_FALSE(f->put("large", std::string(5'000, 'x')));
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->stats().worker_errors >= 1);
    CHECK(f->get<int>("k") == 1);
    f.worker_errors = f->stats().worker_errors;
  }

  TEST_CASE("on_removal may use its cache and no call waits") {
    CacheFixture f({.durability = Durability::commit});
    std::vector<std::string> seen;
    f.options.hooks.on_removal = [&](const Removal& removal) {
      if (removal.key != "first") return;
      seen.push_back(f->get<std::string>("second").value_or("none"));
      seen.push_back(f->put("from the hook", 1) ? "in the file" : "queued");
      seen.push_back(f->get<int>("from the hook").has_value() ? "seen" : "unseen");
      seen.push_back(f->erase("third") ? "was there" : "was not there");
      seen.push_back(f->contains("third") ? "seen" : "gone");
      seen.push_back(f->erase("never put") ? "was there" : "was not there");
    };
    for (const char* key : {"first", "second", "third"}) CHECK(f->put(key, key));
    CHECK(f->erase("first"));
    CHECK(seen == std::vector<std::string>{"second", "queued", "seen", "was there", "gone",
                                           "was not there"});
    f->flush();
    CHECK(f.keys() == "from the hook second");
    CHECK(f.in_file("from the hook"));
    CHECK_FALSE(f.in_file("third"));
  }

  TEST_CASE("range removals in on_removal are queued and visible to reads at once") {
    CacheFixture f;
    f.options.hooks.on_removal = [&](const Removal& removal) {
      if (removal.key == "first") (void)f->erase_prefix("p");
      if (removal.key == "second") (void)f->clear();
      CHECK(f.keys("p") == "");
    };
    for (const char* key : {"first", "p1", "p2", "second", "z"}) CHECK(f->put(key, 1));
    f->flush();
    CHECK(f->erase("first"));
    CHECK(f.keys() == "second z");
    CHECK(f->erase("second"));
    CHECK(f.keys() == "");
    f->flush();
    CHECK(f.rows_in_file() == 0);
  }

  TEST_CASE("removals in on_removal may take more memory than queue_bytes and all are done") {
    CacheFixture f({.queue_bytes = 64 * KiB});
    f.options.hooks.on_removal = [&](const Removal& removal) {
      if (removal.key != "first") return;
      CHECK(f->erase_many(numbered("k", 1'000)) == 1'000);
      CHECK(f->stats().queue_bytes > 64 * KiB);
      CHECK_FALSE(f->contains("k7"));
    };
    f.fill("k", 1'000);
    CHECK(f->put("first", 1));
    f->flush();
    CHECK(f->erase("first"));
    f->flush();
    CHECK(f->stats().entries == 0);
    CHECK(f->stats().queue_bytes == 0);
    CHECK(f.heard.notices().empty());
    f.options.hooks.on_removal = nullptr;
  }

  TEST_CASE("a put in on_removal is dropped and counted when the queue is full") {
    CacheFixture f({.queue_bytes = 64 * KiB});
    int taken = 0;
    int dropped = 0;
    f.options.hooks.on_removal = [&](const Removal& removal) {
      if (removal.key != "first") return;
      for (const std::string& key : numbered("from the hook ", 100)) {
        ++(f->put(key, std::string(2'000, 'x')) ? taken : dropped);
      }
    };
    CHECK(f->put("first", 1));
    f->flush();
    CHECK(f->erase("first"));
    CHECK(taken > 10);
    CHECK(dropped > 10);
    CHECK(f->stats().dropped == dropped);
    f->flush();
    CHECK(f->stats().entries == taken);
  }

  TEST_CASE("flush, close and administration in a hook throw misuse") {
    for (const bool thread : {false, true}) {
      INFO(std::string(thread ? "with a thread" : "manual"));
      CacheFixture f;
      if (thread) f.use_thread();
      std::vector<std::string> codes;
      bool looked = false;
      f.options.hooks.on_removal = [&](const Removal&) {
        codes.push_back(code_thrown_by([&] { f->flush(); }));
        codes.push_back(code_thrown_by([&] { f->close(); }));
        codes.push_back(code_thrown_by([&] { (void)f->run_maintenance(); }));
        codes.push_back(code_thrown_by([&] { f->compact(); }));
        codes.push_back(code_thrown_by([&] { (void)f->check(); }));
        codes.push_back(code_thrown_by([&] { f->backup(f.dir.path("copy")); }));
        looked = f->stats().erased == 1 && f->health().state == HealthState::ok;
        f->set_limits({.max_entries = 10});
      };
      CHECK(f->put("k", 1));
      f->flush();
      CHECK(f->erase("k"));
      f->close();  // now the worker thread has called all hooks
      CHECK(codes == std::vector<std::string>(6, "misuse"));
      CHECK(looked);
    }
  }

  TEST_CASE("a second close returns when the first one has released the file") {
    const Watchdog watchdog("two calls of close");
    Events events;
    const AtTestPoints points([&events](std::string_view point) {
      if (point == "close: waits") events.happened("go on");
    });
    CacheFixture f;
    f.options.hooks.on_removal = [&events](const Removal&) {
      events.happened("in the hook");
      events.wait_for("go on");
    };
    CHECK(f->put("k", 1));
    f->flush();
    CHECK(f->put("k", 2));
    Cache& cache = f.cache();
    std::thread first([&cache] { cache.close(); });
    events.wait_for("in the hook");
    cache.close();
    CHECK(code_thrown_by([&f] {
            Cache again(f.path, manual_options(f.clock));
            CHECK(again.get<int>("k") == 2);
          }) == "nothing");
    events.happened("go on");  // if the second call did not wait
    first.join();
    f.close();
    f.options.hooks.on_removal = nullptr;
  }

  TEST_CASE("a hook of one cache may hand work to another cache") {
    CacheFixture inner({.durability = Durability::commit});
    CacheFixture outer;
    std::string code;
    CHECK(inner->put("old", 1));
    outer.options.hooks.on_removal = [&](const Removal& removal) {
      // The value is queued and not yet in the file.
      CHECK_FALSE(inner->put(std::string(removal.key), std::string(to_string(removal.cause))));
      CHECK(inner->erase("old"));
      code = code_thrown_by([&] { inner->flush(); });
    };
    CHECK(outer->put("k", 1));
    outer->flush();
    CHECK(outer->erase("k"));
    CHECK(code == "misuse");
    CHECK(inner->get<std::string>("k") == "erased");
    CHECK_FALSE(inner->contains("old"));
    CHECK_FALSE(inner.in_file("k"));
    inner->flush();
    CHECK(inner.in_file("k"));
    CHECK_FALSE(inner.in_file("old"));
  }

  TEST_CASE("hooks of two caches may use each other's cache at the same time") {
    const Watchdog watchdog("hooks of two caches");
    Events events;
    CacheFixture first({.queue_bytes = 64 * KiB});
    CacheFixture second({.queue_bytes = 64 * KiB});
    const auto use = [&events](CacheFixture& own, CacheFixture& other, const Removal& removal) {
      if (removal.key != "begin") return;
      events.happened("in a hook");
      events.wait_for("in a hook", 2);
      CHECK(other->erase("single"));
      CHECK(other->erase_prefix("range") == 0);  // queued
      for (const std::string& key : numbered("put ", 10)) {
        CHECK(other->put(key, std::string(2'000, 'x')));
      }
      CHECK(other.keys("range") == "");
      CHECK_FALSE(other->get<int>("single").has_value());
      CHECK(code_thrown_by([&] { other->flush(); }) == "misuse");
      CHECK(code_thrown_by([&] { other->close(); }) == "misuse");
      CHECK(code_thrown_by([&] { own->close(); }) == "misuse");
      events.happened("done");
    };
    first.options.hooks.on_removal = [&](const Removal& removal) { use(first, second, removal); };
    second.options.hooks.on_removal = [&](const Removal& removal) { use(second, first, removal); };
    for (CacheFixture* const f : {&first, &second}) {
      f->use_thread();
      for (const char* key : {"begin", "single", "range 1", "range 2"}) CHECK((*f)->put(key, 1));
      (*f)->flush();
    }
    std::thread beside([&] { CHECK(second->erase("begin")); });
    CHECK(first->erase("begin"));
    beside.join();
    events.wait_for("done", 2);
    for (CacheFixture* const f : {&first, &second}) {
      f->close();
      f->options.hooks.on_removal = nullptr;
      CHECK((*f)->stats().entries == 10);
    }
  }

  TEST_CASE("flush returns when on_removal puts each evicted entry again") {
    CacheFixture f({.limits = {.max_entries = 3}, .eviction = Eviction::fifo});
    int calls = 0;
    f.options.hooks.on_removal = [&](const Removal& removal) {
      ++calls;
      if (removal.cause == RemovalCause::evicted) (void)f->put(std::string(removal.key), 1);
    };
    for (const char* key : {"a", "b", "c", "d"}) CHECK(f->put(key, 1));
    f->flush();
    CHECK(calls == 1);
    CHECK(f->contains("a"));
    for (int i = 0; i < 10; ++i) f->flush();
    CHECK(f->stats().entries == 3);
    CHECK(calls <= 12);
    f.options.hooks.on_removal = nullptr;
    f.reopen();
  }
}
